/** Plans and moves as people read them. */
import type { components } from '../client/schema.gen.ts';
import { type Column, table } from './table.ts';
import { counted, plain, span } from './text.ts';

export type Move = components['schemas']['Move'];
export type Plan = components['schemas']['Plan'];
export type PlansAndMoves = components['schemas']['PlansAndMoves'];
export type RebalancePlan = components['schemas']['RebalancePlan'];

/** `sh-4fY2kQ81aZx0` as `2`, its place in the list. */
export type Place = (shard: string) => string;

function bar(done: number, all: number, width: number): string {
  const full = all === 0 ? width : Math.floor((done * width) / all);
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}] ${String(all === 0 ? 100 : Math.floor((done * 100) / all)).padStart(3)}%`;
}

const rateOf = (rate: number | null): string => (rate === null ? '' : `, ${Math.round(rate)}/s`);
const leftOf = (left: number | null): string => (left === null || left === 0 ? '' : `, ${span(left)} left`);

const keysOf = (keys: number | null, moved: number | null): string =>
  keys === null || moved === null ? '' : ` (about ${moved} of ${counted(keys, 'key')})`;

type Progress = Pick<Plan, 'slots' | 'moved' | 'keys' | 'keys_moved' | 'rate' | 'time_left'>;

const progressOf = ({ slots, moved, keys, keys_moved, rate, time_left }: Progress): string =>
  `${moved} of ${counted(slots, 'slot')}${keysOf(keys, keys_moved)}${rateOf(rate)}${leftOf(time_left)}`;

function stateOf(move: Move): string {
  if (move.phase === 'failed') return `failed: ${move.message ?? ''}`;
  const what = move.piece === null ? move.phase : `${move.phase} ${move.piece}`;
  const ending = move.ending === null ? '' : `, to ${move.ending === 'cancel' ? 'be given up' : 'be tried anew'} then`;
  const why = move.message === null ? '' : `; ${move.message}`;
  const waits = move.waiting_for === null ? '' : `; waits until ${move.waiting_for}`;
  return `${move.paused ? 'paused, ' : ''}${what}${ending}${why}${waits}`;
}

/** What a plan is at, in one line. */
export function planLine(plan: Plan): string {
  const failed = plan.failed === 0 ? '' : `, ${counted(plan.failed, 'move')} failed`;
  const paused = plan.paused ? ', paused' : '';
  return plain(`${plan.what} ${plan.id}  ${bar(plan.moved, plan.slots, 20)}  ${progressOf(plan)}${failed}${paused}`);
}

/** A line for a plan, and one for each of its moves: first what is on its way, then what has failed, then what waits. */
export const planLines = (plan: Plan, place: Place): readonly string[] => [
  planLine(plan),
  ...moveLines(plan.moves, place),
];

function moveLines(moves: readonly Move[], place: Place): readonly string[] {
  const columns = [
    ({ id }: Move) => id,
    ({ range }: Move) => range,
    ({ source, target }: Move) => `${place(source)} -> ${place(target)}`,
    ({ moved, slots }: Move) => bar(moved, slots, 10),
    progressOf,
  ];
  const widths = columns.map((cell) => Math.max(0, ...moves.map((move) => cell(move).length)));
  return moves
    .toSorted((a, b) => turn(a) - turn(b))
    .map((move) => {
      const cells = columns.map((cell, i) => cell(move).padEnd(widths[i] ?? 0));
      return plain(`  ${[...cells, stateOf(move)].join('  ')}`);
    });
}

const turn = ({ phase }: Move): number => (phase === 'queued' ? 2 : phase === 'failed' ? 1 : 0);

export function movesText({ plans, moves }: PlansAndMoves, place: Place): string {
  if (plans.length + moves.length === 0) return 'No slots are on their way.\n';
  const lines = [...plans.flatMap((plan) => planLines(plan, place)), ...moveLines(moves, place)];
  return lines.map((line) => `${line}\n`).join('');
}

/** What would move, and how many slots each shard would have. */
export function rebalanceText(planned: RebalancePlan, place: Place): string {
  const { moves, fills, shards, slots, version } = planned;
  if (moves.length + fills.length === 0) return `Nothing has to move: each shard has its share (version ${version}).\n`;
  const columns: readonly Column<{
    range: string;
    slots: number;
    keys?: number | null;
    source?: string;
    target: string;
  }>[] = [
    { title: 'SLOTS', cell: ({ range }) => range },
    { title: 'COUNT', cell: (row) => row.slots, right: true },
    { title: 'KEYS ABOUT', cell: ({ keys }) => keys ?? '', right: true },
    { title: 'FROM', cell: ({ source }) => (source === undefined ? 'nobody' : place(source)) },
    { title: 'TO', cell: ({ target }) => place(target) },
  ];
  const shares: readonly Column<RebalancePlan['shards'][number]>[] = [
    { title: 'SHARD', cell: ({ shard }) => `${place(shard)} (${shard})` },
    { title: 'WEIGHT', cell: ({ weight }) => weight, right: true },
    { title: 'SLOTS NOW', cell: ({ before }) => before, right: true },
    { title: 'THEN', cell: ({ after }) => after, right: true },
  ];
  return `${table(columns, [...fills, ...moves])}\n${table(shares, shards)}\n${counted(slots, 'slot')} in ${counted(moves.length, 'move')}, for version ${version}.\n`;
}
