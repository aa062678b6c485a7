import type { Reply } from '../../reply.ts';
import { glob, optionInteger, Refusal, texts } from '../arguments.ts';
import { type Access, at, type Commands, held, NO_KEY, ONE_KEY, reading } from '../command.ts';
import { array, bulk, bulks, double } from '../replies.ts';

interface ScanOptions {
  match: RegExp | undefined;
  limit: number;
  type: string | undefined;
}

const KINDS: readonly string[] = ['string', 'hash', 'list', 'set', 'zset', 'bitmap', 'stream'];

function scanOptions(words: readonly string[], from: number, withType: boolean): ScanOptions {
  const options: ScanOptions = { match: undefined, limit: 20, type: undefined };
  for (let i = from; i < words.length; i += 2) {
    const value = words[i + 1];
    switch (words[i]?.toUpperCase()) {
      case 'MATCH':
        if (value === undefined) throw new Refusal('no more item to parse');
        options.match = value === '*' ? undefined : glob(value);
        break;
      case 'COUNT':
        options.limit = optionInteger(value);
        if (options.limit <= 0) throw new Refusal('limit should be a positive integer');
        break;
      case 'TYPE':
        if (!withType) throw new Refusal(texts.syntax);
        if (value === undefined) throw new Refusal('no more item to parse');
        if (!KINDS.includes(value)) throw new Refusal('Invalid type');
        options.type = value;
        break;
      default:
        throw new Refusal(texts.syntax);
    }
  }
  return options;
}

/** The position of the first text behind `name` in a sorted list. */
function behind(sorted: readonly string[], name: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? '') <= name) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where a scan of the keys stopped: slot and key in one text. */
const place = (slot: number, key: string): string => `${slot}:${key}`;

function scan(access: Access, words: readonly string[]): Reply {
  const options = scanOptions(words, 2, true);
  const name = access.cursors.nameOf(at(words, 1));
  const colon = name.indexOf(':');
  const first = name === '' ? 0 : Number(name.slice(0, colon));
  const found: string[] = [];
  for (const slot of access.keyspace.slots(first)) {
    const keys = access.keyspace.keysOf(slot);
    for (let i = slot === first && name !== '' ? behind(keys, name.slice(colon + 1)) : 0; i < keys.length; i++) {
      const key = keys[i] ?? '';
      if (options.match !== undefined && !options.match.test(key)) continue;
      const entry = access.live(key);
      if (entry === undefined || (options.type !== undefined && entry.value.kind !== options.type)) continue;
      found.push(key);
      if (found.length === options.limit) return array([bulk(access.cursors.after(place(slot, key))), bulks(found)]);
    }
  }
  return array([bulk('0'), bulks(found)]);
}

/** HSCAN and its kin: `names` in order of their bytes. */
function scanNames(
  access: Access,
  words: readonly string[],
  names: () => readonly string[],
  show: (name: string) => readonly Reply[],
): Reply {
  const options = scanOptions(words, 3, false);
  const sorted = names();
  const name = access.cursors.nameOf(at(words, 2));
  const items: Reply[] = [];
  let found = 0;
  for (let i = name === '' ? 0 : behind(sorted, name.slice(1)); i < sorted.length; i++) {
    const member = sorted[i] ?? '';
    if (options.match !== undefined && !options.match.test(member)) continue;
    items.push(...show(member));
    found++;
    // The mark keeps an empty name apart from the beginning.
    if (found === options.limit) return array([bulk(access.cursors.after(`:${member}`)), array(items)]);
  }
  return array([bulk('0'), array(items)]);
}

function hashScan(access: Access, words: readonly string[]): Reply {
  const fields = held(access, at(words, 1), 'hash')?.fields;
  return scanNames(
    access,
    words,
    () => [...(fields?.keys() ?? [])].sort(),
    (field) => [bulk(field), bulk(fields?.get(field) ?? '')],
  );
}

function setScan(access: Access, words: readonly string[]): Reply {
  const members = held(access, at(words, 1), 'set')?.members;
  return scanNames(
    access,
    words,
    () => [...(members ?? [])].sort(),
    (member) => [bulk(member)],
  );
}

function sortedSetScan(access: Access, words: readonly string[]): Reply {
  const scores = held(access, at(words, 1), 'zset')?.scores;
  return scanNames(
    access,
    words,
    () => (scores?.items ?? []).map(({ member }) => member).sort(),
    (member) => [bulk(member), double(scores?.score(member) ?? 0)],
  );
}

export const scans: Commands = {
  scan: reading(-2, NO_KEY, scan),
  hscan: reading(-3, ONE_KEY, hashScan),
  sscan: reading(-3, ONE_KEY, setScan),
  zscan: reading(-3, ONE_KEY, sortedSetScan),
};
