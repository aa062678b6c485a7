/**
 * The speed of moves as a cluster's settings have it: set on the servers that moves come from, and put back.
 *
 *   wanted, no record       the server is asked. Another value than the wanted one: a record with what it is, committed
 *   record, wanted          CONFIG SET, again for each process of the server. Another value is wanted by now: the record
 *                           first, once the server has the one before, which may then be on it as well as the new one
 *   record, not wanted      CONFIG SET of what it was, unless somebody else has set it since; then the record goes. A node
 *                           that leaves is told so behind that, and a cluster is deleted behind it, if its servers answer
 *
 * It is wanted of each shard's master from which keys are to move, from the asking on until its last move is over, and
 * while the cluster has the setting. No move waits for it: both hold also for a piece that is on its way (2.14).
 *
 * Where a controller may die: with the record stored and nothing sent, its successor sends it or finds the old value and
 * drops the record; set and not put back, its successor does that. Races: the server is restarted, and has its file's
 * value again: set anew by its new process while it is wanted, otherwise found as it was; somebody else sets it: what they
 * set stays once it is not wanted any more, and is told; the master is replaced: the record waits for the old one to come
 * back, and the new one gets its own. A late copy of a CONFIG SET can come after the one that puts it back only within one
 * connection's life, and that ends before its record does.
 */
import { type Intended, movesOf, switchoverOf } from '../operations/intended.ts';
import { unfinished } from '../operations/move.ts';
import { SPEED_NAMES, SPEEDS, type SpeedName, type Tuned } from '../operations/tuning.ts';
import type { Address } from '../topology/address.ts';
import { nodesOf, shardOf } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import type { Tune } from './jobs.ts';
import type { Happening, Proposal, World } from './world.ts';

/** An answer that is older, in ms, is no ground for what a server is given back. */
const FRESH = 2_000;

export interface Tuning {
  readonly proposal: Proposal | undefined;
  readonly tunes: readonly Tune[];
}

const NOTHING: Tuning = { proposal: undefined, tunes: [] };

interface Wanted {
  readonly node: NodeId;
  readonly name: SpeedName;
  readonly value: number;
}

/** The same for two jobs that ask the same of the same process. */
export const tuneKey = ({ name, run, to, instead }: Tune): string => [name, run, to, ...instead].join(' ');

function wantedOf(world: World): readonly Wanted[] {
  const { intended, policy } = world;
  const values = SPEED_NAMES.flatMap((name) => {
    const value = policy[SPEEDS[name]];
    return value === null ? [] : [{ name, value }];
  });
  if (values.length === 0) return [];
  const sources = new Set(
    movesOf(intended)
      .filter((move) => unfinished(move) && !move.slotOnly)
      .flatMap(({ source }) => shardOf(intended.cluster, source)?.master ?? []),
  );
  return [...sources].flatMap((node) => values.map((one) => ({ node, ...one })));
}

export function decideTuning(world: World): Tuning {
  const { intended } = world;
  // A switchover waits for no other commit, and a paused cluster is left as it is.
  if (intended.pause !== null || switchoverOf(intended) !== undefined) return NOTHING;
  const wanted = wantedOf(world);
  if (wanted.length === 0 && intended.tuned.length === 0) return NOTHING;
  const tunes: Tune[] = [];
  const is = (one: { readonly node: NodeId; readonly name: SpeedName }) => (other: Tuned) =>
    other.node === one.node && other.name === one.name;
  for (const want of wanted) {
    const record = intended.tuned.find(is(want));
    const step = record === undefined ? begins(world, want) : continues(world, want, record);
    if (step?.kind === 'change') return { proposal: step.proposal, tunes };
    if (step?.kind === 'tune') tunes.push(step.tune);
  }
  for (const record of intended.tuned) {
    if (wanted.some((want) => is(want)(record))) continue;
    const step = ends(world, record);
    if (step?.kind === 'change') return { proposal: step.proposal, tunes };
    if (step?.kind === 'tune') tunes.push(step.tune);
  }
  return { proposal: undefined, tunes };
}

type Step =
  | { readonly kind: 'change'; readonly proposal: Proposal }
  | { readonly kind: 'tune'; readonly tune: Tune }
  | undefined;

const addressOf = ({ cluster }: Intended, node: NodeId): Address | undefined =>
  [...nodesOf(cluster), ...cluster.leaving].find(({ id }) => id === node)?.address;

/** Undefined while it does not answer as itself: then nobody is asked, nor told. */
function tuneOf(
  world: World,
  { node, name }: { readonly node: NodeId; readonly name: SpeedName },
  to: number | null,
  instead: readonly number[] = [],
): Tune | undefined {
  const view = world.view(node);
  const address = addressOf(world.intended, node);
  if (address === undefined || view?.state !== 'up' || view.myId !== node || view.process === null) return undefined;
  return { node, address, name, to, instead, run: `${view.process.id} ${view.process.startedAt}` };
}

/** What the job has brought, if it was this very one. */
function answerTo(world: World, tune: Tune) {
  const found = world.found(tune.node)?.speeds?.[tune.name];
  return found?.of === tuneKey(tune) ? found : undefined;
}

function changed(world: World, tuned: readonly Tuned[], node: NodeId, kind: string, message: string): Step {
  const event: Happening = { kind, message: `${node}: ${message}`, by: 'controller', node };
  return { kind: 'change', proposal: { next: { ...world.intended, tuned }, events: [event] } };
}

function begins(world: World, want: Wanted): Step {
  const { node, name, value } = want;
  const tune = tuneOf(world, want, null);
  if (tune === undefined) return undefined;
  const found = answerTo(world, tune);
  if (found !== undefined && (found.value === null || found.value === value)) return undefined;
  if (found === undefined || found.value === null || world.now - found.at > FRESH) return { kind: 'tune', tune };
  const record: Tuned = { node, name, was: found.value, set: value, over: null };
  const words = `its ${name} is to be ${value} while slots move from it; it gets its ${found.value} back then`;
  return changed(world, [...world.intended.tuned, record], node, 'speed.changed', words);
}

function continues(world: World, { node, name, value }: Wanted, record: Tuned): Step {
  const tune = tuneOf(world, record, record.set);
  if (tune === undefined) return undefined;
  if (answerTo(world, tune) === undefined) return { kind: 'tune', tune };
  if (record.set === value) return undefined;
  const after = world.intended.tuned.map((one) => (one === record ? { ...one, set: value, over: one.set } : one));
  return changed(world, after, node, 'speed.changed', `its ${name} is to be ${value} while slots move from it`);
}

function ends(world: World, record: Tuned): Step {
  const { node, name, was, set, over } = record;
  const rest = world.intended.tuned.filter((one) => one !== record);
  if (addressOf(world.intended, node) === undefined)
    return changed(world, rest, node, 'speed.left', `it is gone with ${name} ${set}; it had ${was}`);
  const tune = tuneOf(world, record, was, over === null ? [set] : [set, over]);
  if (tune === undefined) return undefined;
  const found = answerTo(world, tune);
  if (found === undefined) return { kind: 'tune', tune };
  if (found.value === was) return changed(world, rest, node, 'speed.changed', `its ${name} is ${was} again`);
  const why = found.value === set || found.value === over ? 'it takes no other' : 'somebody else has set that';
  const words = `its ${name} is left at ${found.value ?? 'what it is'}, since ${why}; it had ${was}`;
  return changed(world, rest, node, 'speed.left', words);
}
