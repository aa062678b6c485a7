/** Moves and plans as they lie in the store. Up to format 2 a move was a single piece, and there were no plans. */
import type { Move, Noted, Pace } from '../operations/move.ts';
import type { Plan } from '../operations/plan.ts';
import type { ServerProcess } from '../topology/cluster.ts';
import { SLOT_COUNT, type SlotRange } from '../topology/slots.ts';
import { boolean, natural, nullable, object, oneOf, text, time, Unreadable } from './stored-values.ts';

const PHASES = ['queued', 'migrating', 'settling', 'held', 'handing-over', 'failed'] as const;
const ENDINGS = ['cancel', 'retry'] as const;
const AFTERS = ['retry', 'fail', 'drop'] as const;

export function readProcess(value: unknown, what: string): ServerProcess {
  const process = object(value, what);
  return { id: natural(process['id'], `${what}.id`), startedAt: time(process['startedAt'], `${what}.startedAt`) };
}

function readRange(value: unknown, what: string): SlotRange {
  const range = object(value, what);
  const from = natural(range['from'], `${what}.from`);
  const to = natural(range['to'], `${what}.to`);
  if (from > to || to >= SLOT_COUNT) throw new Unreadable(`${what} is no range of slots`);
  return { from, to };
}

function readPace(value: unknown, what: string): Pace {
  const pace = object(value, what);
  return { slots: natural(pace['slots'], `${what}.slots`), ms: time(pace['ms'], `${what}.ms`) };
}

function readNoted(value: unknown, what: string): Noted {
  const noted = object(value, what);
  return {
    success: boolean(noted['success'], `${what}.success`),
    process: nullable(noted['process'], `${what}.process`, readProcess),
  };
}

function integer(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new Unreadable(`${what} is no whole number`);
  return value;
}

/** Throws `Unreadable`. */
export function readMove(one: Record<string, unknown>, what: string): Move {
  const range = readRange(one['range'], `${what}.range`);
  const own = <T>(name: string, read: (value: unknown, what: string) => T): T => read(one[name], `${what}.${name}`);
  const or = <T>(name: string, otherwise: T, read: (value: unknown, what: string) => T): T =>
    one[name] === undefined ? otherwise : own(name, read);
  const orNull = <T>(name: string, read: (value: unknown, what: string) => T): T | null =>
    nullable(one[name] ?? null, `${what}.${name}`, read);
  const common = {
    kind: 'move',
    id: own('id', text),
    plan: orNull('plan', text),
    range,
    source: own('source', text),
    target: own('target', text),
    slotOnly: own('slotOnly', boolean),
    by: own('by', text),
    startedAt: own('startedAt', time),
    priority: or('priority', 0, integer),
    paused: or('paused', false, boolean),
    slotsPerMove: orNull('slotsPerMove', natural),
    size: orNull('size', natural),
    pace: orNull('pace', readPace),
    keys: orNull('keys', natural),
    beganAt: orNull('beganAt', time),
    failures: own('failures', natural),
    tries: or('tries', 0, natural),
    ending: orNull('ending', (word, where) => oneOf(word, ENDINGS, where)),
    returned: orNull('returned', readRange),
  } as const;
  const left = () => or('left', range, readRange);
  const ends = () => ({
    piece: or('piece', range, readRange),
    sourceNode: own('sourceNode', text),
    targetNode: own('targetNode', text),
  });
  const noted = () => orNull('noted', readNoted);
  const phase = oneOf(one['phase'], PHASES, `${what}.phase`);
  switch (phase) {
    case 'queued':
      return { ...common, phase, left: left(), lastFailure: orNull('lastFailure', text) };
    case 'migrating':
      return {
        ...common,
        phase,
        left: left(),
        ...ends(),
        noted: noted(),
        resumed: or('resumed', false, boolean),
        since: or('since', common.startedAt, time),
        endedAt: orNull('endedAt', natural),
      };
    case 'settling':
      return {
        ...common,
        phase,
        left: left(),
        ...ends(),
        version: own('version', natural),
        why: own('why', text),
        after: own('after', (word, where) => oneOf(word, AFTERS, where)),
        unheard: or('unheard', false, boolean),
        noted: noted(),
      };
    case 'held':
      return {
        ...common,
        phase,
        left: left(),
        ...ends(),
        version: own('version', natural),
        noted: noted(),
        why: own('why', text),
      };
    case 'handing-over':
      return {
        ...common,
        phase,
        left: orNull('left', readRange),
        ...ends(),
        version: own('version', natural),
        goal: orNull('goal', natural),
        recovered: or('recovered', false, boolean),
      };
    case 'failed':
      return { ...common, phase, left: left(), why: own('why', text) };
  }
}

/** Throws `Unreadable`. */
export function readPlan(one: Record<string, unknown>, what: string): Plan {
  return {
    kind: 'plan',
    id: text(one['id'], `${what}.id`),
    what: oneOf(one['what'], ['migrate', 'rebalance', 'drain'], `${what}.what`),
    by: text(one['by'], `${what}.by`),
    startedAt: time(one['startedAt'], `${what}.startedAt`),
    slots: natural(one['slots'], `${what}.slots`),
    keys: nullable(one['keys'] ?? null, `${what}.keys`, natural),
    moved: natural(one['moved'], `${what}.moved`),
    paused: boolean(one['paused'], `${what}.paused`),
    failed: natural(one['failed'], `${what}.failed`),
  };
}
