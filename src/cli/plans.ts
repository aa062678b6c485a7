/** Plans of moves as kvctl runs them: shown, asked for, stored, and watched until they are over. */
import { line } from './client/refusals.ts';
import { Failure } from './exit.ts';
import { sleep } from './io.ts';
import { CLUSTER, clusterAt } from './lookup.ts';
import {
  type Place as PlaceOf,
  type Plan,
  type PlansAndMoves,
  planLines,
  type RebalancePlan,
  rebalanceText,
} from './render/moves.ts';
import { plain, span } from './render/text.ts';
import type { Place, Session } from './session.ts';
import { ifVersion, noWait, planOnly } from './settings.ts';

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

/**
 * Brings the cluster into this balance, whatever a run of the same command has done of it before: a plan that is under way
 * is waited for first. Resolves with what was planned last; null where nothing had to move, or with `--dry-run`.
 */
export async function rebalance(session: Session, place: Place, balance: Balance): Promise<RebalancePlan | null> {
  const under = await movesAt(session, place);
  const open = under.plans.find(({ moves, failed }) => moves.length > failed);
  if (open !== undefined && !session.get(planOnly)) {
    session.note(plain(`Plan ${open.id} is under way; it is waited for first.`));
    await watchPlan(session, place, open.id);
  }
  const planned = await rehearsed(session, place, balance);
  const places = await placesIn(session, place);
  const nothing = planned.moves.length + planned.fills.length === 0;
  if (nothing || session.get(planOnly)) {
    session.show(planned, rebalanceText(planned, places));
    return null;
  }
  session.note(rebalanceText(planned, places).trimEnd());
  await session.confirm('Move them?');
  const { query } = session.writing;
  const header = { 'If-Match': `"${session.get(ifVersion) ?? planned.version}"` };
  const params = { path: place, query, header };
  const done = await session.ask(session.api.POST(`${CLUSTER}/rebalance`, { params, body: balance }));
  session.show(
    done,
    `rebalance of ${done.slots} slots is stored${done.plan === null ? '' : ` as plan ${done.plan}`}.\n`,
  );
  if (done.plan !== null && !session.get(noWait)) {
    await watchPlan(session, place, done.plan);
    const left = await rehearsed(session, place, balance);
    if (left.slots > 0)
      throw new Failure('node', `plan ${done.plan} ended with ${left.slots} slots where they were`, {
        next: `Run the command again to go on; what happened: ${line('events', place)}`,
      });
  }
  return done;
}

/** Until the plan is over. Throws once nothing of it goes on any more. */
async function watchPlan(session: Session, place: Place, id: string): Promise<void> {
  const { io } = session;
  const places = await placesIn(session, place);
  const begun = io.clock.now();
  const screen = new Screen(session);
  let told = -1;
  try {
    for (;;) {
      const plan = await look(session, place, id, screen);
      if (plan === 'over') break;
      if (plan !== 'unseen') {
        if (plan.moves.length > 0 && plan.moves.every(({ phase }) => phase === 'failed')) throw failed(plan, place);
        const share = plan.slots === 0 ? 100 : Math.floor((plan.moved * 100) / plan.slots);
        if (screen.redraws) screen.draw(planLines(plan, places));
        else if (Math.floor(share / EACH) > told) {
          told = Math.floor(share / EACH);
          session.note(planLines(plan, places)[0] ?? '');
        }
      }
      if (io.stopped.aborted) throw stopped(id, place);
      await sleep(io, INTERVAL);
      if (io.stopped.aborted) throw stopped(id, place);
    }
  } finally {
    screen.draw([]);
  }
  session.note(plain(`plan ${id} is over after ${span(io.clock.now() - begun)}`));
}

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

const stopped = (id: string, place: Place): Failure =>
  new Failure('unknown', `plan ${id} goes on by itself`, {
    next: `Watch it: ${line('move list --watch', place)}; end it: ${line(`move cancel ${id}`, place)}`,
  });

/** Lines that are drawn over, where a person watches. */
class Screen {
  readonly #session: Session;
  #lines = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  get redraws(): boolean {
    return this.#session.io.errIsTerminal;
  }

  draw(lines: readonly string[]): void {
    if (!this.redraws) return;
    const up = this.#lines === 0 ? '' : `\x1b[${this.#lines}A`;
    this.#session.io.err(`${up}\r\x1b[J${lines.map((text) => `${text}\n`).join('')}`);
    this.#lines = lines.length;
  }
}
