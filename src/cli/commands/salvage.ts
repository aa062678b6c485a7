import type { components } from '../client/schema.gen.ts';
import { command, group } from '../command.ts';
import { CLUSTER } from '../lookup.ts';
import { table } from '../render/table.ts';
import { bytesText, counted, moment, plain } from '../render/text.ts';
import type { Place, Session } from '../session.ts';
import { commandLimit, ifVersion, rehearse, yes } from '../settings.ts';

type Salvage = components['schemas']['Salvage'];
type SalvageContents = components['schemas']['SalvageContents'];
type Replay = components['schemas']['Replay'];

/** The most that one answer holds. */
const PAGE = 1000;

const listed = (salvages: readonly Salvage[]): string =>
  salvages.length === 0
    ? 'nothing was saved of this cluster: no node of it was copied over that alone held anything\n'
    : table<Salvage>(
        [
          { title: 'ID', cell: ({ id }) => id },
          { title: 'SAVED', cell: ({ saved_at }) => moment(saved_at) },
          { title: 'PARTED AT', cell: ({ parted_at }) => parted_at, right: true },
          { title: 'RECORDS', cell: ({ records }) => records, right: true },
          { title: 'COMMANDS', cell: ({ commands }) => commands, right: true },
          { title: 'ALL', cell: ({ all }) => (all ? 'yes' : 'no') },
          { title: 'SHARD', cell: ({ shard }) => shard },
        ],
        salvages,
      );

const list = command({
  names: ['list'],
  args: '[cluster]',
  about: 'List the files of what nodes alone held when they were copied over, newest first',
  run: async (session) => {
    const place = session.place(session.args[0]);
    const data = await session.ask(session.api.GET(`${CLUSTER}/salvages`, { params: { path: place } }));
    session.show(data, listed(data.salvages));
  },
});

/** At most `count` commands; 0: all. */
async function contents(session: Session, place: Place, salvage: string, count: number): Promise<SalvageContents> {
  const commands: SalvageContents['commands'] = [];
  for (;;) {
    const most = count === 0 ? PAGE : Math.min(PAGE, count - commands.length);
    const query = { after: `${commands.length}`, limit: `${most}` };
    const params = { path: { ...place, salvage }, query };
    const page = await session.ask(session.api.GET(`${CLUSTER}/salvages/{salvage}`, { params }));
    commands.push(...page.commands);
    if (page.next === null || (count > 0 && commands.length >= count)) return { ...page, commands };
  }
}

function shown({ salvage, commands, next }: SalvageContents): string {
  const lines = commands.map(({ namespace, args }) => {
    const words = args.map(bytesText).join(' ');
    return `${namespace === 'default' ? '' : `(${plain(namespace)}) `}${words}\n`;
  });
  const more = next === null ? '' : `... and more: --limit 0 shows all ${salvage.commands}\n`;
  return lines.join('') + more;
}

const show = command({
  names: ['show'],
  args: '<id>',
  about: 'Show saved writes as commands, in the order in which they were made, as redis-cli reads them',
  settings: [commandLimit],
  run: async (session) => {
    const place = session.place();
    const data = await contents(session, place, session.arg(0), session.get(commandLimit));
    session.show(data, shown(data));
  },
});

function replayed({ dry_run, replayed: done, skipped, failed, keys }: Replay): string {
  const rows = table<Replay['keys'][number]>(
    [
      { title: 'KEY', cell: ({ key }) => bytesText(key) },
      { title: 'COMMANDS', cell: ({ commands }) => commands, right: true },
      { title: 'OUTCOME', cell: ({ outcome }) => outcome },
      { title: 'WHY', cell: ({ why }) => why },
    ],
    keys,
  );
  const verb = dry_run ? 'would be written again' : 'written again';
  return `${rows}\n${counted(done, 'key')} ${verb}, ${skipped} left as they are, ${failed} failed\n`;
}

const replay = command({
  names: ['replay'],
  args: '<id>',
  about: 'Write saved writes again, where the shard has not written the key since; --dry-run only says what would be',
  settings: [rehearse, yes, ifVersion],
  examples: ['kvctl salvage replay <id> --dry-run -n ns -c c1'],
  run: async (session) => {
    const place = session.place();
    const salvage = session.arg(0);
    const rehearsal = session.get(rehearse);
    if (!rehearsal)
      await session.confirm(`The writes of ${plain(salvage)} are made again in cluster ${place.cluster}. Continue?`);
    const params = { path: { ...place, salvage }, header: session.writing.header };
    const data = await session.ask(
      session.api.POST(`${CLUSTER}/salvages/{salvage}/replay`, { params, body: rehearsal ? { dry_run: true } : {} }),
    );
    session.show(data, replayed(data));
  },
});

export const salvage = group(
  ['salvage'],
  'List, show and write again what a node alone held when it was copied over',
  list,
  show,
  replay,
);
