import { InvalidArgumentError } from 'commander';
import type { components } from '../client/schema.gen.ts';
import { command, groupAround } from '../command.ts';
import { usage } from '../exit.ts';
import { CLUSTER } from '../lookup.ts';
import { table } from '../render/table.ts';
import { plain } from '../render/text.ts';
import type { Place, Session } from '../session.ts';
import { ifVersion, parseDuration } from '../settings.ts';

type Settings = components['schemas']['Settings'];
type Change = components['schemas']['SettingsChange'];

const NAMES = {
  tolerance: 'tolerance_ms',
  max_lag: 'max_lag_ms',
  no_witness_hold: 'no_witness_hold_ms',
  diverged: 'diverged',
  concurrent_moves: 'concurrent_moves',
  migrate_speed: 'migrate_speed',
  migrate_rate_limit: 'migrate_rate_limit_mb',
} as const satisfies Record<string, keyof Settings>;
type Name = keyof typeof NAMES;
const isName = (text: string): text is Name => Object.hasOwn(NAMES, text);
const ALLOWED = Object.keys(NAMES).join(', ');

/** Also as the API and as flags spell it: `tolerance_ms`, `max-lag`. */
function nameOf(text: string): Name {
  const name = text
    .trim()
    .toLowerCase()
    .replaceAll('-', '_')
    .replace(/_(ms|mb)$/, '');
  if (isName(name)) return name;
  throw usage(`there is no setting "${text}"; allowed: ${ALLOWED}`);
}

function milliseconds(name: string, text: string): number {
  // A name that says milliseconds means them.
  const bare = name.toLowerCase().endsWith('ms') && /^[0-9]+$/.test(text);
  try {
    return bare ? Number(text) : parseDuration(text);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw usage(`${name}: got "${text}". ${error.message}`);
    throw error;
  }
}

function read(word: string): Change {
  const [, name = '', text = ''] = /^([^=]*)=(.*)$/.exec(word) ?? [];
  if (name === '') throw usage(`got "${word}"; allowed: a setting and its value, such as tolerance=5s`);
  const known = nameOf(name);
  switch (known) {
    case 'diverged':
      if (text === 'resync' || text === 'fence') return { diverged: text };
      throw usage(`diverged: got "${text}"; allowed: resync, fence`);
    case 'concurrent_moves':
    case 'migrate_speed':
    case 'migrate_rate_limit':
      if (/^[0-9]{1,10}$/.test(text)) return { [NAMES[known]]: Number(text) };
      throw usage(`${known}: got "${text}"; allowed: a whole number`);
    case 'tolerance':
    case 'max_lag':
    case 'no_witness_hold':
      return { [NAMES[known]]: milliseconds(name, text) };
  }
}

/** As `settings set` takes it. */
function valueText(value: Settings[keyof Settings]['value'], unit: Settings[keyof Settings]['unit']): string {
  if (value === null) return '-';
  if (unit !== 'ms' || typeof value === 'string') return `${value}`;
  return value % 1000 === 0 ? `${value / 1000}s` : `${value}ms`;
}

type Row = readonly [string, Settings[keyof Settings]];

function settingsText(place: Place, settings: Settings): string {
  const rows = table<Row>(
    [
      { title: 'SETTING', cell: ([name]) => name.replace(/_(ms|mb)$/, '') },
      { title: 'VALUE', cell: ([, { value, unit }]) => valueText(value, unit) },
      { title: 'DEFAULT', cell: ([, setting]) => valueText(setting.default, setting.unit) },
      { title: 'SET HERE', cell: ([, { set }]) => (set ? 'yes' : 'no') },
      { title: 'WHAT IT IS', cell: ([, { about }]) => about },
    ],
    Object.entries(settings),
  );
  return `settings of cluster ${plain(place.cluster)} of namespace ${plain(place.namespace)}\n\n${rows}`;
}

async function change(session: Session, place: Place, body: Change): Promise<void> {
  const params = { path: place, header: session.writing.header };
  const data = await session.ask(session.api.PATCH(`${CLUSTER}/settings`, { params, body }));
  session.show(data, settingsText(place, data.settings));
}

const show = command({
  names: ['show', 'list'],
  args: '[cluster]',
  about: 'Show every setting of a cluster, with its default and what it is',
  run: async (session) => {
    const [named] = session.args;
    if (named?.includes('='))
      throw usage('settings are changed by their own command', `kvctl settings set ${session.args.join(' ')}`);
    const place = session.place(named);
    const data = await session.ask(session.api.GET(`${CLUSTER}/settings`, { params: { path: place } }));
    session.show(data, settingsText(place, data.settings));
  },
});

const set = command({
  names: ['set'],
  args: '<setting=value...>',
  about: 'Change settings of a cluster, at once; the nodes are told nothing',
  settings: [ifVersion],
  examples: ['kvctl settings set tolerance=5s max_lag=20s diverged=fence -n ns -c c1'],
  run: async (session) => {
    const place = session.place();
    await change(session, place, Object.assign({}, ...session.args.map(read)));
  },
});

const unset = command({
  names: ['unset'],
  args: '<setting...>',
  about: 'Give settings of a cluster the server’s defaults back',
  settings: [ifVersion],
  examples: ['kvctl settings unset tolerance -n ns -c c1'],
  run: async (session) => {
    const place = session.place();
    await change(session, place, Object.fromEntries(session.args.map((name) => [NAMES[nameOf(name)], null])));
  },
});

export const settings = groupAround(
  ['settings', 'setting'],
  'Show or change how a cluster is watched and mended',
  show,
  set,
  unset,
);
