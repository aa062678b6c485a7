/** Moves for tests: `moveOf('migrating', {...})` is one of slots 100-199 from `s0`, led by `a`, to `s1`, led by `c`. */
import type { FailedMove, HandingOver, Held, Migrating, Queued, Settling } from '../operations/move.ts';
import type { Plan } from '../operations/plan.ts';
import type { SlotRange } from '../topology/slots.ts';
import { VERSION } from './testing.ts';
import type { Migration } from './world.ts';

interface Phases {
  readonly queued: Queued;
  readonly migrating: Migrating;
  readonly settling: Settling;
  readonly held: Held;
  readonly 'handing-over': HandingOver;
  readonly failed: FailedMove;
}

export const RANGE: SlotRange = { from: 100, to: 199 };

const common = (range: SlotRange) =>
  ({
    kind: 'move',
    id: 'mv',
    plan: null,
    range,
    source: 's0',
    target: 's1',
    slotOnly: false,
    by: 'ops',
    startedAt: 0,
    priority: 0,
    paused: false,
    slotsPerMove: null,
    size: null,
    pace: null,
    keys: null,
    beganAt: null,
    failures: 0,
    tries: 0,
    ending: null,
    returned: null,
  }) as const;

/** Where nothing else is said all of its range is one piece, and nothing of it has come to its target yet. */
export function moveOf<K extends keyof Phases>(phase: K, more?: Partial<Phases[K]>): Phases[K];
export function moveOf(phase: keyof Phases, more: { readonly range?: SlotRange } = {}): Phases[keyof Phases] {
  const range = more.range ?? RANGE;
  const ends = { piece: range, sourceNode: 'a', targetNode: 'c' };
  const all = common(range);
  switch (phase) {
    case 'queued':
      return { ...all, phase, left: range, lastFailure: null, ...more };
    case 'migrating': {
      const noted = { success: false, process: { id: 'c'.charCodeAt(0), startedAt: 1_000 } };
      return { ...all, ...ends, phase, left: range, noted, resumed: false, since: 0, endedAt: null, ...more };
    }
    case 'settling':
      return {
        ...all,
        ...ends,
        phase,
        left: range,
        version: VERSION,
        why: 'x',
        after: 'retry',
        unheard: false,
        noted: null,
        ...more,
      };
    case 'held': {
      const noted = { success: false, process: { id: 'c'.charCodeAt(0), startedAt: 1_000 } };
      return { ...all, ...ends, phase, left: range, version: VERSION, noted, why: 'x', ...more };
    }
    case 'handing-over':
      return { ...all, ...ends, phase, left: null, version: VERSION, goal: null, recovered: false, ...more };
    case 'failed':
      return { ...all, phase, left: range, why: 'x', ...more };
  }
}

export const planned = (more: Partial<Plan> = {}): Plan => ({
  kind: 'plan',
  keys: null,
  id: 'pl',
  what: 'migrate',
  by: 'ops',
  startedAt: 0,
  slots: 100,
  moved: 0,
  paused: false,
  failed: 0,
  ...more,
});

export const copied = (goal: number | null, more: Partial<Migration & { kind: 'success' }> = {}): Migration => ({
  kind: 'success',
  goal,
  took: null,
  undone: null,
  ...more,
});

export const failing = (why: string, more: Partial<Migration & { kind: 'failed' }> = {}): Migration => ({
  kind: 'failed',
  why,
  sent: true,
  beside: null,
  ...more,
});
