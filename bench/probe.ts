/**
 * Probing many nodes each second: CPU, memory and lateness of the product's probe, beside bare node:net sockets that send
 * the same bytes, one after the other in the same run, and the cost of reading one probe's answers.
 *
 *   node bench/probe.ts [--nodes 1000] [--seconds 8]
 *
 * Takes twice (the seconds, 2 s more, and 1 to 5 s for dialling). Each side needs a file descriptor for each node.
 * Exits with 1 if a goal is missed; goals are for 10,000 nodes on an otherwise quiet machine.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { parseClusterInfo } from '../src/kvrocks/commands/cluster-info.ts';
import { parseInfoReplication } from '../src/kvrocks/commands/info-replication.ts';
import { ProbeRecord, readClusterInfo, readReplication } from '../src/kvrocks/probe-record.ts';
import { ANSWER, CLUSTER_INFO, INFO_REPLICATION } from './probe-traffic.ts';
import type { ProbingResult } from './probing-process.ts';

const GOALS = {
  cores: 0.3,
  timesBare: 2.5,
  megabytes: 250,
  latenessP99: 20,
  eventLoopP99: 10,
  readingMicroseconds: 1.5,
} as const;

const run = promisify(execFile);
const beside = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Through a shell that raises the limit of open files as far as it may go; without one there is nothing to raise. */
function withFiles(args: readonly string[]): { readonly file: string; readonly args: string[] } {
  return { file: '/bin/sh', args: ['-c', 'ulimit -n "$(ulimit -Hn)"; exec "$@"', 'sh', process.execPath, ...args] };
}

async function startNodes(): Promise<{ readonly child: ChildProcess; readonly port: string }> {
  const { file, args } = withFiles([beside('answering-nodes.ts')]);
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString().trim()));
    child.once('exit', (code) => reject(new Error(`the answering process ended with ${code}`)));
  });
  return { child, port };
}

async function measure(kind: 'bare' | 'probe', port: string, nodes: number, seconds: number): Promise<ProbingResult> {
  const { file, args } = withFiles([beside('probing-process.ts'), kind, port, `${nodes}`, `${seconds}`]);
  const { stdout } = await run(file, args, { timeout: (seconds + 40) * 1000 });
  return JSON.parse(stdout);
}

/** Microseconds of CPU to read both answers of one probe: the median of nine rounds. */
function reading(once: () => void): number {
  const rounds: number[] = [];
  for (let round = 0; round < 9; round++) {
    const began = process.cpuUsage();
    for (let i = 0; i < 20_000; i++) once();
    const { user, system } = process.cpuUsage(began);
    rounds.push((user + system) / 20_000);
  }
  return rounds.sort((a, b) => a - b)[4] ?? 0;
}

const { values } = parseArgs({
  options: { nodes: { type: 'string', default: '1000' }, seconds: { type: 'string', default: '8' } },
});
const nodes = Number(values.nodes);
const seconds = Number(values.seconds);

const record = new ProbeRecord();
// One flat string, as a socket gives it.
const text = Buffer.from(ANSWER, 'latin1').toString('latin1');
const infoAt = text.indexOf(CLUSTER_INFO);
const replicationAt = text.indexOf(INFO_REPLICATION);
const inPlace = reading(() => {
  readClusterInfo(text, infoAt, infoAt + CLUSTER_INFO.length, record);
  readReplication(text, replicationAt, replicationAt + INFO_REPLICATION.length, record);
});
const bySplitting = reading(() => {
  parseClusterInfo(CLUSTER_INFO);
  parseInfoReplication(INFO_REPLICATION);
});

const { child, port } = await startNodes();
const bare = await measure('bare', port, nodes, seconds);
const probe = await measure('probe', port, nodes, seconds);
child.stdin?.end();

const row = (name: string, cells: readonly string[]): void => {
  console.log(name.padEnd(34) + cells.map((cell) => cell.padStart(14)).join(''));
};
const ms = (value: number): string => `${value.toFixed(1)} ms`;
console.log(`${nodes} nodes probed each second, ${seconds} s`);
row('', ['bare sockets', 'probe', 'goal']);
row('share of a core', [bare.cores.toFixed(3), probe.cores.toFixed(3), `${GOALS.cores}`]);
row('  times bare sockets', ['1.00', (probe.cores / bare.cores).toFixed(2), `or ${GOALS.timesBare}`]);
row('memory', [`${bare.rssMegabytes.toFixed(0)} MB`, `${probe.rssMegabytes.toFixed(0)} MB`, `${GOALS.megabytes} MB`]);
row('lateness p50', [ms(bare.lateness.p50), ms(probe.lateness.p50), '']);
row('lateness p99', [ms(bare.lateness.p99), ms(probe.lateness.p99), ms(GOALS.latenessP99)]);
row('lateness max', [ms(bare.lateness.max), ms(probe.lateness.max), '']);
row('event loop p99', [ms(bare.eventLoop.p99), ms(probe.eventLoop.p99), ms(GOALS.eventLoopP99)]);
row(
  'preempted a second',
  [bare, probe].map(({ preempted }) => (preempted / seconds).toFixed(0)),
);
row('answers a second', [(bare.answers / seconds).toFixed(0), (probe.answers / seconds).toFixed(0), `${nodes}`]);
row('failures', [`${bare.failures}`, `${probe.failures}`, '0']);
row('reading both answers, in place', ['', `${inPlace.toFixed(2)} µs`, `${GOALS.readingMicroseconds} µs`]);
row('  by lines and maps', [`${bySplitting.toFixed(2)} µs`, '', '']);

/** Bare sockets that are late too show a busy machine, which says nothing about the probe. */
function judge(name: string, ours: number, bares: number, goal: number): void {
  if (ours <= goal) return;
  (bares > goal ? notJudged : missed).push(name);
}

const missed: string[] = [];
const notJudged: string[] = [];
judge('lateness', probe.lateness.p99, bare.lateness.p99, GOALS.latenessP99);
judge('event loop', probe.eventLoop.p99, bare.eventLoop.p99, GOALS.eventLoopP99);
if (probe.cores > GOALS.cores && probe.cores > bare.cores * GOALS.timesBare) missed.push('share of a core');
if (probe.rssMegabytes > GOALS.megabytes) missed.push('memory');
if (inPlace > GOALS.readingMicroseconds) missed.push('reading');
if (probe.failures > 0) missed.push('failures');
if (notJudged.length > 0) console.log(`not judged, the machine is busy: ${notJudged.join(', ')}`);
console.log(missed.length > 0 ? `missed: ${missed.join(', ')}` : 'no goal missed');
process.exitCode = missed.length === 0 ? 0 : 1;
