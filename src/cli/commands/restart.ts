/** Restarting all nodes one after the other; the restart itself is a command's or a person's. */
import { line } from '../client/refusals.ts';
import { command, group } from '../command.ts';
import { Failure, usage } from '../exit.ts';
import { sleep } from '../io.ts';
import { CLUSTER, SHARD } from '../lookup.ts';
import { counted, moment, plain, quoted, span } from '../render/text.ts';
import {
  type Act,
  allActs,
  isAnother,
  nextStep,
  type Over,
  type ShardStatus,
  type Step,
  sinceNow,
} from '../rolling.ts';
import type { ClusterStatus, NodeStatus, Place, Session } from '../session.ts';
import { hook, planOnly, rolling, since, yes } from '../settings.ts';

/** Milliseconds between two looks. */
const INTERVAL = 500;
/** A node that is not in order by then needs a person. */
const PATIENCE = 600_000;
/** A hook that has ended should have ended the process, too. */
const HOOK_PATIENCE = 120_000;
/** A replica that lacks a few records has them a moment later. */
const SWITCHOVER_PATIENCE = 60_000;

/** One run of the command. */
interface Run {
  readonly session: Session;
  readonly place: Place;
  readonly over: Over & { readonly nodes: Set<string> };
  readonly hook: string | undefined;
  /** The command that goes on from here. */
  readonly again: string;
}

const placeholders = ({ id, addr }: NodeStatus): Readonly<Record<string, string>> => {
  const colon = addr.lastIndexOf(':');
  return { id, addr, host: addr.slice(0, colon), port: addr.slice(colon + 1) };
};

const PLACEHOLDER = /\{(id|addr|host|port)\}/g;

/** The hook for one node, each value as the shell reads it back. */
const filled = (text: string, node: NodeStatus): string =>
  text.replace(PLACEHOLDER, (_, name: string) => quoted(placeholders(node)[name] ?? ''));

function checkedHook(session: Session): string | undefined {
  const text = session.get(hook);
  if (text === undefined || text.search(PLACEHOLDER) >= 0) return text;
  throw usage('the hook does not say which node it restarts', 'Name it by {addr}, {host}, {port} or {id}');
}

const roleOf = ({ role }: NodeStatus): string => (role === 'master' ? 'master' : 'replica');
const named = (shard: ShardStatus, node: NodeStatus): string => `${node.addr} (shard ${shard.index}, ${roleOf(node)})`;

const words = (step: Act): string => {
  if (step.kind === 'switchover') return `switch shard ${step.shard.index} over, away from ${step.node.addr}`;
  const { shard, node } = step;
  return node.role === 'master'
    ? `restart ${node.addr} (shard ${shard.index}, a replica by then)`
    : `restart ${named(shard, node)}`;
};

const statusOf = (session: Session, place: Place): Promise<ClusterStatus> =>
  session.ask(session.api.GET(`${CLUSTER}/status`, { params: { path: place } }));

/** A controller that is away for a moment is waited for. */
async function look(run: Run): Promise<ClusterStatus | undefined> {
  try {
    return await statusOf(run.session, run.place);
  } catch (error) {
    refuseStopped(run);
    if (error instanceof Failure && error.exit === 'unavailable') return undefined;
    throw error;
  }
}

function refuseStopped({ session, again }: Run): void {
  if (session.io.stopped.aborted)
    throw new Failure('unknown', 'stopped; the nodes that were not restarted yet run on', {
      next: `To go on: ${again}`,
    });
}

type Seen<T> = { readonly got: T } | { readonly waitsFor: string };

/** Looks until `seen` has got something; a line is written whenever what is waited for changes. */
async function until<T>(run: Run, within: number, seen: (status: ClusterStatus) => Seen<T>): Promise<T> {
  const { io } = run.session;
  const begun = io.clock.now();
  let told = '';
  for (;;) {
    refuseStopped(run);
    const status = await look(run);
    const now: Seen<T> = status === undefined ? { waitsFor: 'the controller answers' } : seen(status);
    if ('got' in now) return now.got;
    const passed = io.clock.now() - begun;
    if (passed >= within)
      throw new Failure('node', plain(`not in order after ${span(passed)}: ${now.waitsFor}`), {
        details: [`what the cluster needs: ${line('status', run.place)}`],
        next: `To go on once it is in order: ${run.again}`,
      });
    if (now.waitsFor !== told) run.session.note(plain(`  waiting: ${now.waitsFor}`));
    told = now.waitsFor;
    await sleep(io, INTERVAL);
  }
}

/** Whoever would take over from the masters that are to be restarted, by the controller's own judgement. */
async function refuseWithoutHeirs(session: Session, place: Place, status: ClusterStatus, over: Over): Promise<void> {
  const masters = allActs(status, over).filter(({ kind }) => kind === 'switchover');
  const lacking: string[] = [];
  for (const { shard, node } of masters) {
    const path = { ...place, shard: shard.id };
    const plan = await session.ask(
      session.api.POST(`${SHARD}/failover`, { params: { path }, body: { dry_run: true } }),
    );
    if (!('candidate' in plan) || plan.candidate !== null) continue;
    const why = plan.judged.flatMap(({ refusals }) => refusals).join('; ');
    lacking.push(plain(`shard ${shard.index}: nobody may take over from ${node.addr}: ${why || (plan.refused ?? '')}`));
  }
  if (lacking.length > 0)
    throw new Failure('refused', 'a shard would stand without a master while its own is restarted', {
      details: lacking,
      next: `See who may be promoted: ${line('failover shard <shard> --dry-run', place)}`,
    });
}

async function restart(run: Run, shard: ShardStatus, node: NodeStatus): Promise<void> {
  const { session, over } = run;
  if (run.hook !== undefined) {
    const text = filled(run.hook, node);
    session.note(plain(`  $ ${text}`));
    const code = await session.io.shell(text);
    if (code !== 0)
      throw new Failure('failed', `the hook for ${node.addr} ended with ${code}`, {
        details: [`the node may be down; see ${line('status', run.place)}`],
        next: `To go on once it runs: ${run.again}`,
      });
  } else session.note(plain(`  restart ${node.addr} now; nothing else is done until another process answers there`));
  await until(run, run.hook === undefined ? Number.POSITIVE_INFINITY : HOOK_PATIENCE, (status) => {
    const now = status.shards.flatMap(({ nodes }) => nodes).find(({ id }) => id === node.id);
    if (now === undefined)
      throw new Failure('refused', `${node.addr} is no node of shard ${shard.index} any more`, {
        next: `To go on: ${run.again}`,
      });
    const another = isAnother(node, now);
    if (another === true) return { got: null };
    return { waitsFor: another === undefined ? `${now.addr} is ${now.state}` : `${now.addr} was not restarted yet` };
  });
  over.nodes.add(node.id);
}

async function switchOver(run: Run, shard: ShardStatus): Promise<void> {
  const { session, place } = run;
  const { io } = session;
  const begun = io.clock.now();
  for (;;) {
    refuseStopped(run);
    try {
      const path = { ...place, shard: shard.id };
      await session.ask(session.api.POST(`${SHARD}/failover`, { params: { path }, body: {} }));
      return;
    } catch (error) {
      // A switchover that was asked for ends by itself.
      refuseStopped(run);
      // Its replica lacks something yet, or it was taken back: the shard is as it was.
      if (!(error instanceof Failure) || io.clock.now() - begun >= SWITCHOVER_PATIENCE) throw error;
      if (error.exit !== 'refused' && error.exit !== 'node' && error.exit !== 'unavailable') throw error;
      session.note(plain(`  ${error.message}; trying again`));
      await sleep(io, INTERVAL * 2);
    }
  }
}

/** `begun`: by an earlier run, which may have ended with a node on its way back. */
async function roll(run: Run, count: number, begunBefore: boolean): Promise<void> {
  let begun = begunBefore;
  let restarted = 0;
  for (;;) {
    const step = await until(run, PATIENCE, (status): Seen<Exclude<Step, { kind: 'wait' }>> => {
      const next = nextStep(status, run.over, begun);
      return next.kind === 'wait' ? { waitsFor: next.for } : { got: next };
    });
    switch (step.kind) {
      case 'done':
        return;
      case 'refused':
        throw new Failure('refused', plain(step.why), {
          details: step.details.map(plain),
          next: `To go on: ${run.again}`,
        });
      case 'switchover':
        run.session.note(plain(words(step)));
        await switchOver(run, step.shard);
        break;
      case 'restart':
        restarted++;
        run.session.note(plain(`${words(step)}, ${Math.min(restarted, count)} of ${count}`));
        await restart(run, step.shard, step.node);
        break;
    }
    begun = true;
  }
}

/** As `--since` takes it. */
const stamp = (wall: number): string => moment(wall).replace(' ', 'T');

export const restarting = group(
  ['restart'],
  'Restart the nodes of a cluster',
  command({
    names: ['cluster'],
    args: '[cluster]',
    about:
      'Restart every node once, one at a time: the replicas of a shard, then its master after a switchover. Each is waited for until it is in order again. The restart itself is done by --hook, or by you when you are told. Ended, it goes on with --since, which it tells',
    settings: [rolling, hook, since, planOnly, yes],
    examples: [
      'kvctl restart cluster c1 -n ns --rolling --dry-run',
      "kvctl restart cluster c1 -n ns --rolling --hook 'ssh {host} systemctl restart kvrocks@{port}'",
    ],
    run: async (session) => {
      const place = session.place(session.args[0]);
      if (!session.get(rolling))
        throw usage(
          'all nodes at once would stop the cluster',
          `Say --rolling: ${line('restart cluster --rolling', place)}`,
        );
      const text = checkedHook(session);
      const status = await statusOf(session, place);
      const from = session.get(since) ?? sinceNow(status);
      if (from === undefined)
        throw new Failure('node', 'no node has said since when it runs', { next: line('status', place) });
      const over = { since: from, nodes: new Set<string>() };
      const again = line(
        `restart cluster --rolling --since ${stamp(from)}${text === undefined ? '' : ` --hook ${quoted(text)}`}`,
        place,
      );
      const steps = allActs(status, over);
      const count = steps.filter(({ kind }) => kind === 'restart').length;
      const goesOn = session.get(since) !== undefined;
      const first = nextStep(status, over, goesOn);
      if (first.kind === 'refused')
        throw new Failure('refused', plain(first.why), {
          details: first.details.map(plain),
          next: `See it whole: ${line('status', place)}`,
        });
      if (first.kind !== 'wait') await refuseWithoutHeirs(session, place, status, over);
      const list = steps.map((step, i) => plain(`${String(i + 1).padStart(3)}. ${words(step)}`));
      const data = {
        since: stamp(from),
        steps: steps.map(({ kind, shard, node }) => ({ do: kind, shard: shard.id, node: node.id, addr: node.addr })),
      };
      if (count === 0) return session.show(data, `Nothing to restart: every node runs since after ${stamp(from)}.\n`);
      const listed = `${list.join('\n')}\n\n${counted(count, 'node')}, ${counted(steps.length - count, 'switchover')}.\n`;
      if (session.get(planOnly)) return session.show(data, listed);
      session.note(listed.trimEnd());
      await session.confirm('Restart them?');
      session.note(plain(`If this is ended, go on with: ${again}`));
      const release = session.io.catchCtrlC();
      try {
        await roll({ session, place, over, hook: text, again }, count, goesOn);
      } finally {
        release();
      }
      session.show(data, `restart cluster: ${place.cluster} successfully, ${counted(count, 'node')}.\n`);
    },
  }),
);
