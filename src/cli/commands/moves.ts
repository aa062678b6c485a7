import { line } from '../client/refusals.ts';
import { command, groupAround } from '../command.ts';
import { Failure, usage } from '../exit.ts';
import { CLUSTER } from '../lookup.ts';
import { movesAt, placesIn } from '../plans.ts';
import { movesText } from '../render/moves.ts';
import { counted } from '../render/text.ts';
import type { Place, Session } from '../session.ts';
import { ifVersion, owner, watch, yes } from '../settings.ts';
import { showOrWatch } from '../watching.ts';

const list = command({
  names: ['list', 'ls'],
  args: '[cluster]',
  about: 'Show what is on its way: plans, their moves, how far each is and what it waits for',
  settings: [watch],
  examples: ['kvctl moves c1 -n ns', 'kvctl moves c1 -n ns --watch'],
  run: async (session) => {
    const place = session.place(session.args[0]);
    await showOrWatch(session, async () => {
      const data = await movesAt(session, place);
      return { data, text: movesText(data, await placesIn(session, place)) };
    });
  },
});

/** `[id]`: of a plan or of a move; without one all of the cluster. */
function whichOf(session: Session): { plan?: string; move?: string } {
  const [id] = session.args;
  if (id === undefined) return {};
  if (/^pl-[A-Za-z0-9]{12}$/.test(id)) return { plan: id };
  if (/^mv-[A-Za-z0-9]{12}$/.test(id)) return { move: id };
  throw usage(
    `got "${id}"; allowed: the id of a plan (pl-...) or of a move (mv-...), or nothing for all of the cluster`,
    `See them: ${line('move list', session.where)}`,
  );
}

/** What there is to steer: the plans and moves that `which` names. */
async function chosenOf(session: Session, place: Place, which: { plan?: string; move?: string }) {
  const { plans, moves } = await movesAt(session, place);
  const all = [...plans.flatMap((plan) => plan.moves), ...moves];
  const named = all.filter(
    ({ id, plan }) => (which.move ?? id) === id && (which.plan === undefined || which.plan === plan),
  );
  const id = which.plan ?? which.move;
  if (named.length > 0 || id === undefined) return named;
  throw new Failure('missing', `nothing of ${id} is on its way in ${place.cluster}; it may be over`, {
    next: `See what is: ${line('move list', place)}; what happened: ${line('events', place)}`,
  });
}

const named = ({ plan, move }: { plan?: string; move?: string }): string => plan ?? move ?? 'all moves';

const NOTHING = { plans: [], moves: [] };

interface Steering {
  readonly what: 'pause' | 'resume' | 'cancel' | 'retry';
  readonly about: string;
  readonly said: string;
}

const steer = ({ what, about, said }: Steering) =>
  command({
    names: [what],
    args: '[id]',
    about,
    settings: what === 'cancel' ? [yes, ifVersion] : [ifVersion],
    examples: [`kvctl move ${what} pl-4fY2kQ81aZx0 -n ns -c c1`, `kvctl move ${what} -n ns -c c1`],
    run: async (session) => {
      const place = session.place();
      const which = whichOf(session);
      const chosen = await chosenOf(session, place, which);
      if (what === 'cancel' && chosen.length > 0)
        await session.confirm(
          `${counted(chosen.length, 'move')} given up; what has moved stays where it is. Continue?`,
        );
      const { header } = session.writing;
      const path = `${CLUSTER}/moves/${what}` as const;
      const data = await session.ask(session.api.POST(path, { params: { path: place, header }, body: which }));
      session.show(
        data,
        chosen.length === 0 ? movesText(NOTHING, String) : `${what} ${named(which)} successfully: ${said}.\n`,
      );
    },
  });

const priority = command({
  names: ['priority'],
  args: '<id> <number>',
  about: 'Say which moves go first: among those that could begin the higher one, -1000 to 1000, 0 by default',
  settings: [ifVersion],
  examples: ['kvctl move priority mv-4fY2kQ81aZx0 10 -n ns -c c1', 'kvctl move priority pl-4fY2kQ81aZx0 -- -5'],
  run: async (session) => {
    const place = session.place();
    const which = whichOf(session);
    const text = session.arg(1);
    if (!/^-?[0-9]{1,4}$/.test(text))
      throw usage(`priority: got "${text}"; allowed: a whole number from -1000 to 1000`);
    await chosenOf(session, place, which);
    const { header } = session.writing;
    const params = { path: place, header };
    const body = { ...which, priority: Number(text) };
    const data = await session.ask(session.api.POST(`${CLUSTER}/moves/priority`, { params, body }));
    session.show(data, `priority of ${named(which)} is ${text} successfully.\n`);
  },
});

const settle = command({
  names: ['settle'],
  args: '<move>',
  about: 'Say whose the slots are of a move of which nobody can know: the other side’s writes to them are given up',
  settings: [owner, yes, ifVersion],
  examples: ['kvctl move settle mv-4fY2kQ81aZx0 --owner source -n ns -c c1'],
  run: async (session) => {
    const place = session.place();
    const { move } = whichOf(session);
    if (move === undefined) throw usage('a single move is settled', 'Name it by its id, mv-...');
    const side = session.get(owner);
    if (side === undefined) throw usage('the owner is missing', 'Name it with --owner source or --owner target');
    await chosenOf(session, place, { move });
    const other = side === 'source' ? 'target' : 'source';
    await session.confirm(`What the ${other} of ${move} took of its slots is given up. Continue?`);
    const { header } = session.writing;
    const params = { path: place, header };
    const data = await session.ask(
      session.api.POST(`${CLUSTER}/moves/settle`, { params, body: { move, owner: side } }),
    );
    session.show(data, `settle ${move} successfully: its slots are the ${side}’s.\n`);
  },
});

export const move = groupAround(
  ['move', 'moves'],
  'Watch and steer slots that are on their way',
  list,
  steer({
    what: 'pause',
    about: 'Begin nothing new of these moves; what runs is finished',
    said: 'nothing new is begun, what runs is finished',
  }),
  steer({ what: 'resume', about: 'Go on with these moves', said: 'they go on' }),
  steer({
    what: 'cancel',
    about: 'Give these moves up: what has moved stays, the piece that runs is finished or rolled back',
    said: 'what has moved stays',
  }),
  steer({
    what: 'retry',
    about: 'Try again what has failed; a single move whose piece runs is ended and tried anew in smaller ones',
    said: 'they are tried again',
  }),
  priority,
  settle,
);
