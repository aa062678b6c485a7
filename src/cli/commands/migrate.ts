import { formatRange, parseRange, type SlotRange } from '../../topology/slots.ts';
import { command, group } from '../command.ts';
import { usage } from '../exit.ts';
import { CLUSTER, clusterAt, findShard } from '../lookup.ts';
import { ifVersion, noWait, slotOnly, target } from '../settings.ts';
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

export const migrate = group(
  ['migrate'],
  'Move slots to another shard',
  command({
    names: ['slot', 'slots'],
    args: '<slots...>',
    about: 'Move slots with their keys to another shard',
    settings: [target, slotOnly, ifVersion, noWait],
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
      const { shard } = findShard(await clusterAt(session, place), wanted);
      const { query, header } = session.writing;
      const data = await session.ask(
        session.api.POST(`${CLUSTER}/migrate`, {
          params: { path: place, query, header },
          body: { target: shard.id, slot: slotMember(ranges), slot_only: session.get(slotOnly) },
        }),
      );
      session.show(data, `migrate slot[${ranges.map(formatRange).join(',')}] task is submitted successfully.\n`);
      await waitFor(session, place, slotsMoved(shard.id, ranges));
    },
  }),
);
