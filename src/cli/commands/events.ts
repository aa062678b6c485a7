import { follow as followStream } from '../client/follow.ts';
import type { components } from '../client/schema.gen.ts';
import { command } from '../command.ts';
import { CLUSTER } from '../lookup.ts';
import { moment, plain } from '../render/text.ts';
import type { Place, Session } from '../session.ts';
import { follow, last } from '../settings.ts';

type Event = components['schemas']['Event'];

/** The most that one answer holds. */
const PAGE = 1000;

const eventText = (event: Event): string =>
  `${moment(event.at)}  ${plain(`${event.kind}  ${event.message} (version ${event.version}, by ${event.by})`)}\n`;

/** The newest ones, at most `count`, oldest first; and the id of the newest of all. */
async function past(session: Session, place: Place, count: number) {
  let kept: Event[] = [];
  let newest = 0;
  for (;;) {
    const query = { after: `${newest}`, limit: `${PAGE}` };
    const { events } = await session.ask(session.api.GET(`${CLUSTER}/events`, { params: { path: place, query } }));
    kept = count === 0 ? [] : [...kept, ...events].slice(-count);
    newest = events.at(-1)?.id ?? newest;
    if (events.length < PAGE) return { events: kept, newest };
  }
}

function isEvent(value: unknown): value is Event {
  if (typeof value !== 'object' || value === null) return false;
  return (
    'at' in value &&
    typeof value.at === 'number' &&
    'kind' in value &&
    typeof value.kind === 'string' &&
    'message' in value &&
    typeof value.message === 'string' &&
    'version' in value &&
    typeof value.version === 'number' &&
    'by' in value &&
    typeof value.by === 'string'
  );
}

function parseEvent(text: string): Event | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isEvent(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export const events = command({
  names: ['events'],
  args: '[cluster]',
  about: 'Show what happened to a cluster, oldest first; as json with --follow, one event a line',
  settings: [last, follow],
  examples: ['kvctl events c1 -n ns', 'kvctl events c1 -n ns --follow'],
  run: async (session) => {
    const place = session.place(session.args[0]);
    const { events: known, newest } = await past(session, place, session.get(last));
    if (!session.get(follow)) return session.show({ events: known }, known.map(eventText).join(''));
    const show = (event: Event) => session.io.out(session.json ? `${JSON.stringify(event)}\n` : eventText(event));
    for (const event of known) show(event);
    const path = `${CLUSTER}/events`
      .replace('{namespace}', () => encodeURIComponent(place.namespace))
      .replace('{cluster}', () => encodeURIComponent(place.cluster));
    await followStream(session.io, session.target, path, {
      after: newest,
      event: (data) => {
        const event = parseEvent(data);
        if (event !== undefined) show(event);
        else session.note(`an event that cannot be read: ${plain(data.slice(0, 200))}`);
      },
      lost: (why) => session.note(`${why}; trying again`),
    });
  },
});
