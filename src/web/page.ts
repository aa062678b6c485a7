/** The page at `/`: what this is, how the clusters are, and where to go on from here. Plain HTML, made for each request. */
import type { ClusterName, ControlPlane } from '../controller/control-plane.ts';
import type { ClusterStatus, Problem } from '../controller/status.ts';
import { escapeHtml, type Html, html, join } from './html.ts';
import { contentSecurityPolicy, style } from './style.ts';

export const pageHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': contentSecurityPolicy,
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
};

/** More would take long to make and longer to read; kvctl lists them all. */
const MAX_CLUSTERS = 200;
const MAX_PROBLEMS = 10;

export interface PageRequest {
  readonly plane: ControlPlane;
  readonly version: string;
  /** `host:port` under which the reader reached it. */
  readonly at: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

const utc = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone: 'UTC' });
const timeOf = (at: number): string => `${utc.format(at)} UTC`;

const count = (n: number, one: string): string => `${n} ${one}${n === 1 ? '' : 's'}`;

/** `path`: of the cluster in the API. */
function problem({ severity, message, waiting_for, command, shard }: Problem, path: string): Html {
  const waiting = waiting_for === null ? html`` : html` <span class="faint">Waiting for ${waiting_for}.</span>`;
  const mend = command === null ? html`` : html`<pre><code>${command}</code></pre>`;
  const why = shard === null ? html`` : html` <a href="${path}/why?shard=${encodeURIComponent(shard)}">Why</a>`;
  return html`<li><span class="${severity}">${severity}</span>: ${message}${waiting}${why}${mend}</li>`;
}

function problems(all: readonly Problem[], path: string): Html {
  if (all.length === 0) return html``;
  const more = all.length - MAX_PROBLEMS;
  const rest = more > 0 ? html`<li class="faint">and ${more} more</li>` : html``;
  return html`<ul class="problems">${join(all.slice(0, MAX_PROBLEMS).map((each) => problem(each, path)))}${rest}</ul>`;
}

function facts(status: ClusterStatus): string {
  const nodes = status.shards.flatMap((shard) => shard.nodes);
  const up = nodes.filter((node) => node.state === 'up').length;
  return [
    count(status.shards.length, 'shard'),
    `${up} of ${count(nodes.length, 'node')} up`,
    `${status.slots_served} of 16384 slots served`,
    `version ${status.version}`,
    ...(status.operations.length > 0 ? [`${count(status.operations.length, 'operation')} running`] : []),
  ].join(' · ');
}

function paused({ paused }: ClusterStatus): Html {
  if (paused === null) return html``;
  const end = paused.until === null ? 'until resumed' : `until ${timeOf(paused.until)}`;
  return html`<div class="facts">Paused by ${paused.by} ${end}: nothing is changed by the controller itself.</div>`;
}

function cluster(plane: ControlPlane, name: ClusterName): Html {
  const title = `${name.namespace}/${name.cluster}`;
  const path = `/api/v1/namespaces/${encodeURIComponent(name.namespace)}/clusters/${encodeURIComponent(name.cluster)}`;
  const link = html`<a class="name" href="${path}/status">${title}</a>`;
  let status: ClusterStatus;
  try {
    status = plane.status(name);
  } catch (error) {
    const why = error instanceof Error ? error.message : 'its status cannot be read';
    return html`<li><div class="head">${link}<span class="state degraded">unknown</span></div><div class="facts">${why}</div></li>`;
  }
  return html`<li><div class="head">${link}<span class="state ${status.state}">${status.state}</span></div><div class="facts">${facts(status)}</div>${paused(status)}${problems(status.problems, path)}</li>`;
}

function clusters(plane: ControlPlane, kvctl: string): Html {
  if (!plane.ready()) {
    return html`<p>Not ready: this controller does not lead yet, or cannot reach its metadata store. ${leader(plane)}</p>`;
  }
  const names = plane
    .namespaces()
    .flatMap((namespace) => plane.clusters(namespace).map((name) => ({ namespace, cluster: name })));
  if (names.length === 0) {
    return html`<p>None yet. A namespace is the place for the first one:</p><pre><code>${kvctl} create namespace my-namespace</code></pre>`;
  }
  const more = names.length - MAX_CLUSTERS;
  const rest = more > 0 ? html`<p class="faint">and ${more} more; <code>kvctl</code> lists them all.</p>` : html``;
  return html`<ul class="clusters">${join(names.slice(0, MAX_CLUSTERS).map((name) => cluster(plane, name)))}</ul>${rest}`;
}

function leader(plane: ControlPlane): string {
  const at = plane.leader();
  return at === undefined ? 'Nobody leads.' : `${at} leads.`;
}

/** The whole document. Never throws for what a cluster's status holds or lacks. */
export function page({ plane, version, at, now }: PageRequest): string {
  const kvctl = `kvctl --host http://${at}`;
  const body = html`<main>
<h1>kvctl-server</h1>
<p>The control plane of Apache Kvrocks clusters: it keeps their topology, watches every node, fails over and moves slots.</p>
<p class="faint">Version ${version}. As of ${timeOf(now)}; reload to see it anew.</p>
<h2>Clusters</h2>
${clusters(plane, kvctl)}
<h2>Command line</h2>
<pre><code>${kvctl} list namespaces</code></pre>
<h2>HTTP API</h2>
<p>Under <code>/api/v1</code>, described by <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>
<pre><code>curl http://${at}/api/v1/namespaces</code></pre>
<p class="faint"><a href="/healthz">healthz</a> says that it runs, <a href="/readyz">readyz</a> that it serves.</p>
</main>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(`kvctl-server at ${at}`)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
${body.text}
</body>
</html>
`;
}
