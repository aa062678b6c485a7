import type { Reply } from '../../reply.ts';
import { integer, Refusal, texts } from '../arguments.ts';
import { type Access, ALL_KEYS, at, type Commands, held, ONE_KEY, reading, TWO_KEYS, writing } from '../command.ts';
import type { Effect } from '../effects.ts';
import { note } from '../log-commands.ts';
import { array, bulkOrNil, count, ONE, setOf, ZERO } from '../replies.ts';
import { choose, chooseSome } from './choosing.ts';

const NO_MEMBERS: ReadonlySet<string> = new Set();

function membersOf(access: Access, key: string): ReadonlySet<string> {
  return held(access, key, 'set')?.members ?? NO_MEMBERS;
}

function add(access: Access, words: readonly string[]): Reply {
  const key = at(words, 1);
  const members = membersOf(access, key);
  const added = new Set(words.slice(2).filter((member) => !members.has(member)));
  if (added.size > 0) access.commit(['SADD', key, ...added]);
  return count(added.size);
}

function remove(access: Access, words: readonly string[]): Reply {
  const key = at(words, 1);
  const members = membersOf(access, key);
  const gone = new Set(words.slice(2).filter((member) => members.has(member)));
  if (gone.size > 0) access.commit(...removalEffects(key, gone, members));
  return count(gone.size);
}

/** SPOP leaves an empty set behind, SREM and SMOVE delete it. */
function removalEffects(key: string, gone: ReadonlySet<string>, members: ReadonlySet<string>): readonly Effect[] {
  const removal: Effect = ['SREM', key, ...gone];
  return gone.size === members.size ? [removal, note('DEL', key)] : [removal];
}

function countWord(words: readonly string[]): number {
  if (words.length > 3) throw new Refusal(texts.arity);
  return words[2] === undefined ? 1 : integer(words[2]);
}

function pop(access: Access, words: readonly string[]): Reply {
  const wanted = countWord(words);
  if (wanted < 0) throw new Refusal(texts.notPositive);
  const key = at(words, 1);
  const chosen = chooseSome(access.random, [...membersOf(access, key)].sort(), wanted);
  if (chosen.length > 0) access.commit(['SREM', key, ...chosen]);
  return words.length === 3 ? setOf(chosen) : bulkOrNil(chosen[0]);
}

/** A set of one even without a count. */
function randomMember(access: Access, words: readonly string[]): Reply {
  const wanted = countWord(words);
  return setOf(choose(access.random, [...membersOf(access, at(words, 1))].sort(), wanted));
}

function move(access: Access, words: readonly string[]): Reply {
  const from = at(words, 1);
  const to = at(words, 2);
  const member = at(words, 3);
  const members = membersOf(access, from);
  membersOf(access, to);
  if (!members.has(member)) return ZERO;
  access.commit(...removalEffects(from, new Set([member]), members));
  access.commit(['SADD', to, member]);
  return ONE;
}

type Combine = (sets: readonly ReadonlySet<string>[]) => Iterable<string>;

function difference([first = NO_MEMBERS, ...others]: readonly ReadonlySet<string>[]): Iterable<string> {
  return [...first].filter((member) => others.every((other) => !other.has(member)));
}

function intersection([first = NO_MEMBERS, ...others]: readonly ReadonlySet<string>[]): Iterable<string> {
  return [...first].filter((member) => others.every((other) => other.has(member)));
}

function union(sets: readonly ReadonlySet<string>[]): Iterable<string> {
  return new Set(sets.flatMap((members) => [...members]));
}

function combined(access: Access, keys: readonly string[], combine: Combine): string[] {
  return [...combine(keys.map((key) => membersOf(access, key)))].sort();
}

/** SDIFF and its kin. */
function showing(combine: Combine): (access: Access, words: readonly string[]) => Reply {
  return (access, words) => setOf(combined(access, words.slice(1), combine));
}

/** SDIFFSTORE and its kin: replaces what is there, of whatever kind; an empty result removes it, with one record. */
function storing(combine: Combine): (access: Access, words: readonly string[]) => Reply {
  return (access, words) => {
    const members = combined(access, words.slice(2), combine);
    access.commit(['SSTORE', at(words, 1), ...members]);
    return count(members.length);
  };
}

function has(access: Access, words: readonly string[]): Reply {
  return membersOf(access, at(words, 1)).has(at(words, 2)) ? ONE : ZERO;
}

function hasEach(access: Access, words: readonly string[]): Reply {
  const members = membersOf(access, at(words, 1));
  return array(words.slice(2).map((member) => (members.has(member) ? ONE : ZERO)));
}

export const sets: Commands = {
  sadd: writing(-3, ONE_KEY, add),
  srem: writing(-3, ONE_KEY, remove, 'no-dbsize-check'),
  scard: reading(2, ONE_KEY, (access, words) => count(membersOf(access, at(words, 1)).size)),
  smembers: reading(2, ONE_KEY, (access, words) => setOf([...membersOf(access, at(words, 1))].sort()), 'slow'),
  sismember: reading(3, ONE_KEY, has),
  smismember: reading(-3, ONE_KEY, hasEach),
  spop: writing(-2, ONE_KEY, pop),
  srandmember: reading(-2, ONE_KEY, randomMember, 'slow'),
  smove: writing(4, TWO_KEYS, move),
  sdiff: reading(-2, ALL_KEYS, showing(difference), 'slow'),
  sunion: reading(-2, ALL_KEYS, showing(union), 'slow'),
  sinter: reading(-2, ALL_KEYS, showing(intersection), 'slow'),
  sdiffstore: writing(-3, ALL_KEYS, storing(difference), 'slow'),
  sunionstore: writing(-3, ALL_KEYS, storing(union), 'slow'),
  sinterstore: writing(-3, ALL_KEYS, storing(intersection), 'slow'),
};
