import { line } from '../client/refusals.ts';
import { command, group } from '../command.ts';
import { usage } from '../exit.ts';
import { sleep } from '../io.ts';
import { CLUSTER } from '../lookup.ts';
import { movesAt, placesIn } from '../plans.ts';
import { movesText } from '../render/moves.ts';
import { counted } from '../render/text.ts';
import type { Session } from '../session.ts';
import { ifVersion, owner, watch, yes } from '../settings.ts';

const INTERVAL = 1000;
const CLEAR = '\x1b[H\x1b[2J\x1b[3J';

const list = command({
  names: ['list', 'ls'],
  args: '[cluster]',
  about: 'Show what is on its way: plans, their moves, how far each is and what it waits for',
  settings: [watch],
  examples: ['kvctl move list -n ns -c c1', 'kvctl move list c1 -n ns --watch'],
  run: async (session) => {
    const place = session.place(session.args[0]);
    const { io } = session;
    for (;;) {
      const data = await movesAt(session, place);
      const text = movesText(data, await placesIn(session, place));
      const watched = session.get(watch);
      session.show(data, watched && io.outIsTerminal ? `${CLEAR}${text}` : text);
      if (!watched) return;
      await sleep(io, INTERVAL);
      if (io.stopped.aborted) return;
    }
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

const named = ({ plan, move }: { plan?: string; move?: string }): string => plan ?? move ?? 'all moves';

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
      if (what === 'cancel') {
        const { plans, moves } = await movesAt(session, place);
        const all = [...plans.flatMap((plan) => plan.moves), ...moves];
        const chosen = all.filter(
          ({ id, plan }) => (which.move ?? id) === id && (which.plan === undefined || which.plan === plan),
        );
        await session.confirm(
          `${counted(chosen.length, 'move')} given up; what has moved stays where it is. Continue?`,
        );
      }
      const { header } = session.writing;
      const path = `${CLUSTER}/moves/${what}` as const;
      const data = await session.ask(session.api.POST(path, { params: { path: place, header }, body: which }));
      session.show(data, `${what} ${named(which)} successfully: ${said}.\n`);
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

export const move = group(
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
