import {
  formatRange,
  intersect,
  parseRange,
  type SlotRange,
  slotCount,
  slotSet,
  subtract,
} from '../../topology/slots.ts';
import { command, group } from '../command.ts';
import { usage } from '../exit.ts';
import { CLUSTER, clusterAt, findShard } from '../lookup.ts';
import { table } from '../render/table.ts';
import { counted } from '../render/text.ts';
import type { Cluster } from '../session.ts';
import { ifVersion, movePriority, noWait, planOnly, slotOnly, slotsPerMove, target } from '../settings.ts';
import { slotsMoved, waitFor } from '../waiting.ts';

/** `5`, `5-9`, `5,7-9`, also as several words. */
function parseSlots(words: readonly string[]): readonly SlotRange[] {
  return words
    .flatMap((word) => word.split(','))
    .map((text) => {
      const range = parseRange(text.trim());
      if (range === undefined) {
        throw usage(
          `slot: got "${text}"; allowed: a slot from 0 to 16383, a range such as 0-100, or several with commas`,
        );
      }
      return range;
    });
}

/** One slot as a number, one range as a text, several as a list: what every release of the API takes. */
function slotMember(ranges: readonly SlotRange[]): number | string | string[] {
  const [first] = ranges;
  if (first === undefined || ranges.length > 1) return ranges.map(formatRange);
  return first.from === first.to ? first.from : formatRange(first);
}

interface Part {
  readonly slots: string;
  readonly count: number;
  /** Null: they belong to nobody. */
  readonly from: number | null;
}

/** Which shards own these slots. */
function partsOf(cluster: Cluster, ranges: readonly SlotRange[]): readonly Part[] {
  let rest: readonly SlotRange[] = slotSet(ranges);
  const part = (from: number | null) => (range: SlotRange) => ({
    slots: formatRange(range),
    count: slotCount([range]),
    from,
  });
  const owned = cluster.shards.flatMap(({ slot_ranges }, index) => {
    const own = (slot_ranges ?? []).flatMap((text) => parseRange(text) ?? []);
    const here = intersect(slotSet(own), slotSet(ranges));
    rest = subtract(rest, here);
    return here.map(part(index));
  });
  return [...owned, ...rest.map(part(null))];
}

function planText(parts: readonly Part[], to: number): string {
  const rows = table<Part>(
    [
      { title: 'SLOTS', cell: ({ slots }) => slots },
      { title: 'COUNT', cell: ({ count }) => count, right: true },
      { title: 'FROM', cell: ({ from }) => from ?? 'nobody' },
      { title: 'TO', cell: ({ from }) => (from === to ? 'there already' : to) },
    ],
    parts,
  );
  const moving = parts.filter(({ from }) => from !== to && from !== null);
  const stays = moving.length === parts.length ? '' : '; it is refused for those that are there already, or nobody’s';
  return `${rows}\n${counted(
    moving.reduce((sum, { count }) => sum + count, 0),
    'slot',
  )} in ${counted(moving.length, 'move')}${stays}.\n`;
}

export const migrate = group(
  ['migrate'],
  'Move slots to another shard',
  command({
    names: ['slot', 'slots'],
    args: '<slots...>',
    about: 'Move slots with their keys to another shard',
    settings: [target, slotOnly, slotsPerMove, movePriority, planOnly, ifVersion, noWait],
    examples: [
      'kvctl migrate slot 5 --target 1 -n ns -c c1',
      'kvctl migrate slot 0-1000,1500 --target 1 -n ns -c c1 --timeout 1h',
    ],
    run: async (session) => {
      const place = session.place();
      const ranges = parseSlots(session.args);
      const wanted = session.get(target);
      if (wanted === undefined)
        throw usage('the target is missing', 'Name the receiving shard with --target <index or id>');
      const cluster = await clusterAt(session, place);
      const { shard, index } = findShard(cluster, wanted);
      if (session.get(planOnly)) {
        const parts = partsOf(cluster, ranges);
        return session.show({ version: cluster.version, target: shard.id, parts }, planText(parts, index));
      }
      const size = session.get(slotsPerMove);
      const first = session.get(movePriority);
      const { query, header } = session.writing;
      const data = await session.ask(
        session.api.POST(`${CLUSTER}/migrate`, {
          params: { path: place, query, header },
          body: {
            target: shard.id,
            slot: slotMember(ranges),
            slot_only: session.get(slotOnly),
            ...(size !== undefined && { slots_per_move: size }),
            ...(first !== undefined && { priority: first }),
          },
        }),
      );
      session.show(data, `migrate slot[${ranges.map(formatRange).join(',')}] task is submitted successfully.\n`);
      await waitFor(session, place, slotsMoved(shard.id, ranges));
    },
  }),
);
