/**
 * One way of probing, in a process of its own so that CPU and memory are its own: `bare` node:net sockets that send and
 * receive the same bytes and read nothing, or `probe`, the product's. Both are driven by the same ticker, each node
 * once a second at its own moment. Prints one line of JSON.
 *
 *   node bench/probing-process.ts <bare|probe> <port> <nodes> <seconds>
 */
import { connect } from 'node:net';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { PROBE_LIMITS, Probe } from '../src/kvrocks/probe.ts';
import { nodeRuntime } from '../src/runtime/node-runtime.ts';
import { ANSWER, QUESTION } from './probe-traffic.ts';

export interface ProbingResult {
  readonly cores: number;
  readonly rssMegabytes: number;
  readonly lateness: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly eventLoop: { readonly p50: number; readonly p99: number };
  /** How often the machine took the core away: hundreds a second mean that it is busy with something else. */
  readonly preempted: number;
  readonly answers: number;
  readonly failures: number;
}

interface Way {
  ask(node: number): void;
}

let answers = 0;
let failures = 0;

/** Each node an address of its own, 127.1.0.0 and up. */
function hostOf(node: number): string {
  return `127.${1 + (node >> 16)}.${(node >> 8) & 255}.${node & 255}`;
}

function bareSockets(port: number, nodes: number): Way {
  const sockets = new Array<ReturnType<typeof connect> | undefined>(nodes);
  return {
    ask(node) {
      let socket = sockets[node];
      if (socket === undefined) {
        socket = connect({ host: hostOf(node), port, noDelay: true, keepAlive: true });
        socket.setEncoding('latin1');
        let missing = ANSWER.length;
        socket.on('data', (bytes: string) => {
          missing -= bytes.length;
          if (missing > 0) return;
          missing += ANSWER.length;
          answers += 1;
        });
        socket.on('error', () => {
          failures += 1;
        });
        sockets[node] = socket;
      }
      socket.write(QUESTION, 'latin1');
    },
  };
}

function probes(port: number, nodes: number): Way {
  const runtime = nodeRuntime();
  const handlers = {
    connected: () => {},
    answered: (record: { readonly kind: string }) => {
      if (record.kind === 'ok') answers += 1;
      else failures += 1;
    },
    failed: () => {
      failures += 1;
    },
  };
  const limits = { ...PROBE_LIMITS, connectTimeout: 5000 };
  const all = Array.from(
    { length: nodes },
    (_, node) => new Probe(runtime, { host: hostOf(node), port }, undefined, limits, handlers),
  );
  return {
    ask(node) {
      if (all[node]?.ask() !== true) failures += 1;
    },
  };
}

const TICK = 2;
const ROUND = 1000;

/** Asks each node once a round, spread evenly over it; the first round may be slower, since it dials. */
async function drive(
  way: Way,
  nodes: number,
  rounds: number,
  lateness: number[],
  measuredFrom: () => void,
): Promise<void> {
  const begin = performance.now();
  const first = Math.max(ROUND, nodes / 2);
  // Two rounds to warm up behind the one that dials.
  const warm = begin + first + 2 * ROUND;
  const end = warm + rounds * ROUND;
  let asked = 0;
  let measuring = false;
  const dueAt = (question: number): number =>
    question < nodes ? begin + (question * first) / nodes : begin + first + ((question - nodes) * ROUND) / nodes;
  return new Promise((resolve) => {
    const tick = () => {
      const now = performance.now();
      if (!measuring && now >= warm) {
        measuring = true;
        measuredFrom();
      }
      for (let due = dueAt(asked); due <= now && due < end; due = dueAt(asked)) {
        way.ask(asked % nodes);
        if (measuring) lateness.push(performance.now() - due);
        asked += 1;
      }
      if (now >= end) resolve();
      else setTimeout(tick, TICK);
    };
    tick();
  });
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

const [kind = 'probe', port = '0', count = '1000', seconds = '8'] = process.argv.slice(2);
const nodes = Number(count);
const way = kind === 'bare' ? bareSockets(Number(port), nodes) : probes(Number(port), nodes);
const lateness: number[] = [];
const loop = monitorEventLoopDelay({ resolution: 1 });
const preemptions = (): number => process.resourceUsage().involuntaryContextSwitches;
let from = { cpu: process.cpuUsage(), at: 0, answers: 0, preempted: 0 };
await drive(way, nodes, Number(seconds), lateness, () => {
  from = { cpu: process.cpuUsage(), at: performance.now(), answers, preempted: preemptions() };
  loop.enable();
});
loop.disable();
const cpu = process.cpuUsage(from.cpu);
const elapsed = performance.now() - from.at;
lateness.sort((a, b) => a - b);
const result: ProbingResult = {
  cores: (cpu.user + cpu.system) / 1000 / elapsed,
  rssMegabytes: process.memoryUsage().rss / 1024 / 1024,
  lateness: { p50: percentile(lateness, 0.5), p99: percentile(lateness, 0.99), max: percentile(lateness, 1) },
  eventLoop: { p50: loop.percentile(50) / 1e6, p99: loop.percentile(99) / 1e6 },
  preempted: preemptions() - from.preempted,
  answers: answers - from.answers,
  failures,
};
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
