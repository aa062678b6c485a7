/** Plans of moves as kvctl runs them: shown, asked for, stored, and watched until they are over. */
import { line } from './client/refusals.ts';
import { Failure } from './exit.ts';
import { sleep } from './io.ts';
import { CLUSTER, clusterAt } from './lookup.ts';
import {
  type Place as PlaceOf,
  type Plan,
  type PlansAndMoves,
  planLine,
  planLines,
  type RebalancePlan,
  rebalanceText,
} from './render/moves.ts';
import { plain, span } from './render/text.ts';
import { Screen } from './screen.ts';
import type { Place, Session } from './session.ts';
import { noWait, planOnly } from './settings.ts';

/** Milliseconds between two looks. */
const INTERVAL = 500;
/** Shares of a plan, in hundredths, after which a line is written where nobody watches a bar. */
const EACH = 10;

export interface Balance {
  readonly weights?: Record<string, number>;
  readonly drain?: string[];
  readonly slots_per_move?: number;
}

export const movesAt = (session: Session, place: Place): Promise<PlansAndMoves> =>
  session.ask(session.api.GET(`${CLUSTER}/moves`, { params: { path: place } }));

/** A shard's place in the list, as people name it; its id where it is gone. */
export async function placesIn(session: Session, place: Place): Promise<PlaceOf> {
  const { shards } = await clusterAt(session, place);
  return (id) => {
    const index = shards.findIndex((shard) => shard.id === id);
    return index < 0 ? id : String(index);
  };
}

const rehearsed = (session: Session, place: Place, balance: Balance): Promise<RebalancePlan> =>
  session.ask(
    session.api.POST(`${CLUSTER}/rebalance`, { params: { path: place }, body: { ...balance, dry_run: true } }),
  );

export interface Balancing {
  /** Refuse unless the cluster is at this version. */
  readonly version?: number | undefined;
  /** The command that goes on from where this one is ended. */
  readonly again?: string | undefined;
  /** What is asked before anything moves. */
  readonly question?: string | undefined;
}

/**
 * Brings the cluster into this balance, whatever a run of the same command has done of it before: plans that are under way
 * are waited for first. With `--dry-run` only shows what would move. Resolves with whether the person was asked: not where
 * nothing had to move.
 */
export async function rebalance(
  session: Session,
  place: Place,
  balance: Balance,
  { version, again, question = 'Move them?' }: Balancing,
): Promise<boolean> {
  if (!session.get(planOnly)) await waitForOthers(session, place, again);
  const planned = await rehearsed(session, place, balance);
  const places = await placesIn(session, place);
  const nothing = planned.moves.length + planned.fills.length === 0;
  if (nothing || session.get(planOnly)) {
    session.show(planned, rebalanceText(planned, places));
    return false;
  }
  session.note(rebalanceText(planned, places).trimEnd());
  await session.confirm(question);
  const { query } = session.writing;
  const header = { 'If-Match': `"${version ?? planned.version}"` };
  const params = { path: place, query, header };
  const done = await session.ask(session.api.POST(`${CLUSTER}/rebalance`, { params, body: balance }));
  session.show(
    done,
    `rebalance of ${done.slots} slots is stored${done.plan === null ? '' : ` as plan ${done.plan}`}.\n`,
  );
  if (done.plan !== null && !session.get(noWait)) {
    await watchPlan(session, place, done.plan, again);
    const left = await rehearsed(session, place, balance);
    if (left.slots > 0)
      throw new Failure('node', `plan ${done.plan} ended with ${left.slots} slots where they were`, {
        next: `Run the command again to go on; what happened: ${line('events', place)}`,
      });
  }
  return true;
}

/** One that is paused would be waited for without end. */
async function waitForOthers(session: Session, place: Place, again: string | undefined): Promise<void> {
  for (;;) {
    const { plans } = await movesAt(session, place);
    const open = plans.find(({ moves, failed }) => moves.length > failed);
    if (open === undefined) return;
    if (open.paused && open.moves.every(({ piece }) => piece === null))
      throw new Failure(
        'refused',
        plain(`plan ${open.id} is under way, and paused: ${open.moved} of its ${open.slots} slots have moved`),
        {
          next: `Go on with it: ${line(`move resume ${open.id}`, place)}; give it up: ${line(`move cancel ${open.id}`, place)}`,
        },
      );
    session.note(plain(`Plan ${open.id} is under way; it is waited for first.`));
    await watchPlan(session, place, open.id, again);
  }
}

/** Until the plan is over. Throws once nothing of it goes on any more. */
async function watchPlan(session: Session, place: Place, id: string, again: string | undefined): Promise<void> {
  const { io } = session;
  const places = await placesIn(session, place);
  const begun = io.clock.now();
  const screen = new Screen(io);
  const release = io.catchCtrlC();
  let told = '';
  try {
    for (;;) {
      const plan = await look(session, place, id, screen);
      if (io.stopped.aborted) throw stopped(id, place, again);
      if (plan === 'over') break;
      if (plan !== 'unseen') {
        if (plan.moves.length > 0 && plan.moves.every(({ phase }) => phase === 'failed')) throw failed(plan, place);
        if (screen.redraws) screen.draw(planLines(plan, places));
        else if (newsOf(plan) !== told) session.note(planLine(plan));
        told = newsOf(plan);
      }
      await sleep(io, INTERVAL);
    }
  } finally {
    screen.draw([]);
    release();
  }
  session.note(plain(`plan ${id} is over after ${span(io.clock.now() - begun)}`));
}

/** A line is written when this is another one. */
const newsOf = ({ slots, moved, failed, paused }: Plan): string =>
  [slots === 0 ? 0 : Math.floor((moved * 100) / slots / EACH), failed, paused].join();

/** A controller that is away for a moment is waited for. */
async function look(session: Session, place: Place, id: string, screen: Screen): Promise<Plan | 'over' | 'unseen'> {
  try {
    return (await movesAt(session, place)).plans.find((one) => one.id === id) ?? 'over';
  } catch (error) {
    if (!(error instanceof Failure) || error.exit !== 'unavailable') throw error;
    screen.draw([plain(`waiting for the controller: ${error.message}`)]);
    return 'unseen';
  }
}

const failed = (plan: Plan, place: Place): Failure =>
  new Failure('node', plain(`plan ${plan.id}: ${plan.failed} of its moves are given up`), {
    details: plan.moves.map(({ range, message }) => plain(`slots ${range}: ${message ?? 'no reason is known'}`)),
    next: `Try them again: ${line(`move retry ${plan.id}`, place)}; give them up: ${line(`move cancel ${plan.id}`, place)}`,
  });

const stopped = (id: string, place: Place, again: string | undefined): Failure =>
  new Failure('unknown', `plan ${id} is not over; it goes on by itself`, {
    details: [
      `to watch it: ${line('move list --watch', place)}`,
      `to end it: ${line(`move cancel ${id}`, place)}`,
      ...(again === undefined ? [] : [`to go on with what comes after it: ${again}`]),
    ],
  });
