import type { Reply } from '../../reply.ts';
import { integer, optionInteger, parseFloat64, Refusal, texts } from '../arguments.ts';
import {
  type Access,
  at,
  type Commands,
  held,
  KEYS_BEFORE_TIMEOUT,
  ONE_KEY,
  reading,
  TWO_KEYS,
  writing,
} from '../command.ts';
import type { Effect } from '../effects.ts';
import { CUTS_NOTHING, note } from '../log-commands.ts';
import { bulkOrNil, bulks, count, NIL, NIL_ARRAY, OK, ZERO } from '../replies.ts';

function itemsOf(access: Access, key: string): readonly string[] | undefined {
  return held(access, key, 'list')?.items;
}

function push(access: Access, words: readonly string[], effect: 'LPUSH' | 'RPUSH', create: boolean): Reply {
  const key = at(words, 1);
  const items = itemsOf(access, key);
  if (items === undefined && !create) return ZERO;
  const size = items?.length ?? 0;
  access.commit([effect, ...words.slice(1)]);
  return count(size + words.length - 2);
}

/** LPOP key [count]: with a count a list, or nothing if there is no list. */
function pop(access: Access, words: readonly string[], effect: 'LPOP' | 'RPOP'): Reply {
  if (words.length > 3) throw new Refusal(texts.arity);
  const key = at(words, 1);
  const wanted = words[2] === undefined ? 1 : integer(words[2]);
  if (wanted < 0) throw new Refusal(texts.notPositive);
  const items = itemsOf(access, key);
  if (items === undefined) return words.length === 3 ? NIL_ARRAY : NIL;
  const taken = effect === 'LPOP' ? items.slice(0, wanted) : items.slice(Math.max(0, items.length - wanted)).reverse();
  access.commit(...popEffects(effect, key, taken.length, items.length));
  return words.length === 3 ? bulks(taken) : bulkOrNil(taken[0]);
}

function popEffects(kind: 'LPOP' | 'RPOP', key: string, taken: number, size: number): readonly Effect[] {
  const effect: Effect = [kind, key, String(taken)];
  return taken === size ? [effect, note('DEL', key)] : [effect];
}

function checkTimeout(word: string, negative: string): void {
  const timeout = parseFloat64(word);
  if (timeout === undefined) throw new Refusal('timeout is not a float or out of range');
  if (timeout < 0) throw new Refusal(negative);
}

/** BLPOP and BRPOP tried once: nil if all lists are empty. */
function blockingPop(access: Access, words: readonly string[], effect: 'LPOP' | 'RPOP'): Reply {
  checkTimeout(at(words, words.length - 1), 'timeout should not be negative');
  for (const key of words.slice(1, -1)) {
    const items = itemsOf(access, key);
    const text = effect === 'LPOP' ? items?.[0] : items?.[items.length - 1];
    if (text === undefined) continue;
    access.commit(...popEffects(effect, key, 1, items?.length ?? 0));
    return bulks([key, text]);
  }
  return NIL;
}

function range(access: Access, words: readonly string[]): Reply {
  let start = integer(at(words, 2));
  let stop = integer(at(words, 3));
  const items = itemsOf(access, at(words, 1)) ?? [];
  if (start < 0) start = Math.max(0, items.length + start);
  if (stop < 0) stop = items.length + stop;
  return bulks(items.slice(start, stop + 1));
}

function setAt(access: Access, words: readonly string[]): Reply {
  const given = integer(at(words, 2));
  const key = at(words, 1);
  const items = itemsOf(access, key);
  if (items === undefined) throw new Refusal(texts.noSuchKey);
  const index = given < 0 ? items.length + given : given;
  if (index < 0 || index >= items.length) throw new Refusal('Invalid argument: index out of range');
  if (items[index] !== at(words, 3)) access.commit(['LSET', key, String(index), at(words, 3)]);
  return OK;
}

function trim(access: Access, words: readonly string[]): Reply {
  let start = integer(at(words, 2));
  let stop = integer(at(words, 3));
  const key = at(words, 1);
  const items = itemsOf(access, key);
  if (items === undefined) return OK;
  if (start < 0) start += items.length;
  if (stop < 0) stop = Math.max(-1, items.length + stop);
  if (start > stop) {
    access.commit(['DEL', key]);
    return OK;
  }
  start = Math.max(0, start);
  const effect = ['LTRIM', key, String(start), String(stop)];
  access.commit(start > 0 || stop < items.length - 1 ? effect : [...effect, CUTS_NOTHING]);
  return OK;
}

function remove(access: Access, words: readonly string[]): Reply {
  const limit = integer(at(words, 2));
  const key = at(words, 1);
  const text = at(words, 3);
  const found = (itemsOf(access, key) ?? []).filter((item) => item === text).length;
  if (found === 0) return ZERO;
  access.commit(['LREM', key, String(limit), text]);
  return count(limit === 0 ? found : Math.min(found, Math.abs(limit)));
}

/** 0 without a list, -1 without the pivot. */
function insert(access: Access, words: readonly string[]): Reply {
  const where = at(words, 2).toUpperCase();
  if (where !== 'BEFORE' && where !== 'AFTER') throw new Refusal(texts.syntax);
  const key = at(words, 1);
  const items = itemsOf(access, key);
  if (items === undefined) return ZERO;
  if (!items.includes(at(words, 3))) return count(-1);
  access.commit(['LINSERT', key, where, at(words, 3), at(words, 4)]);
  return count(items.length);
}

function side(word: string): 'LEFT' | 'RIGHT' {
  const found = word.toUpperCase();
  if (found !== 'LEFT' && found !== 'RIGHT') throw new Refusal(texts.syntax);
  return found;
}

function move(access: Access, from: string, to: string, fromSide: string, toSide: string): Reply {
  const ends = [side(fromSide), side(toSide)] as const;
  const items = itemsOf(access, from);
  if (items === undefined) return NIL;
  itemsOf(access, to);
  const text = ends[0] === 'LEFT' ? items[0] : items[items.length - 1];
  const effect: Effect = ['LMOVE', from, to, ...ends];
  access.commit(...(items.length === 1 && from !== to ? [effect, note('DEL', from)] : [effect]));
  return bulkOrNil(text);
}

/** BLMOVE tried once: nothing if the list is empty. */
function blockingMove(access: Access, words: readonly string[]): Reply {
  side(at(words, 3));
  side(at(words, 4));
  checkTimeout(at(words, 5), 'timeout is negative');
  const moved = move(access, at(words, 1), at(words, 2), at(words, 3), at(words, 4));
  return moved.kind === 'nil' ? NIL_ARRAY : moved;
}

interface PositionOptions {
  rank: number;
  count: number | undefined;
  longest: number;
}

function positionOptions(words: readonly string[]): PositionOptions {
  if (words.length % 2 !== 1) throw new Refusal(texts.syntax);
  const options: PositionOptions = { rank: 1, count: undefined, longest: 0 };
  for (let i = 3; i < words.length; i += 2) {
    const value = (): number => optionInteger(words[i + 1]);
    switch (words[i]?.toUpperCase()) {
      case 'RANK':
        options.rank = value();
        if (options.rank === 0) {
          throw new Refusal(
            "RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
          );
        }
        break;
      case 'COUNT':
        options.count = value();
        if (options.count < 0) throw new Refusal("COUNT can't be negative");
        break;
      case 'MAXLEN':
        options.longest = value();
        if (options.longest < 0) throw new Refusal("MAXLEN can't be negative");
        break;
      default:
        throw new Refusal(texts.syntax);
    }
  }
  return options;
}

function position(access: Access, words: readonly string[]): Reply {
  const { rank, count: wanted, longest } = positionOptions(words);
  const items = itemsOf(access, at(words, 1)) ?? [];
  const limit = wanted === undefined ? 1 : wanted === 0 ? items.length : wanted;
  const compared = longest === 0 ? items.length : Math.min(longest, items.length);
  const found: number[] = [];
  let matches = 0;
  for (let i = 0; i < compared && found.length < limit; i++) {
    const index = rank > 0 ? i : items.length - 1 - i;
    if (items[index] === at(words, 2) && ++matches >= Math.abs(rank)) found.push(index);
  }
  // The server writes positions as texts when it lists them.
  if (wanted !== undefined) return bulks(found.map(String));
  return found[0] === undefined ? NIL : count(found[0]);
}

function itemAt(access: Access, words: readonly string[]): Reply {
  const index = integer(at(words, 2));
  return bulkOrNil(itemsOf(access, at(words, 1))?.at(index));
}

export const lists: Commands = {
  blpop: writing(-3, KEYS_BEFORE_TIMEOUT, (access, words) => blockingPop(access, words, 'LPOP'), 'blocking'),
  brpop: writing(-3, KEYS_BEFORE_TIMEOUT, (access, words) => blockingPop(access, words, 'RPOP'), 'blocking'),
  lindex: reading(3, ONE_KEY, itemAt),
  linsert: writing(5, ONE_KEY, insert, 'slow'),
  llen: reading(2, ONE_KEY, (access, words) => count(itemsOf(access, at(words, 1))?.length ?? 0)),
  lmove: writing(5, TWO_KEYS, (access, words) => move(access, at(words, 1), at(words, 2), at(words, 3), at(words, 4))),
  blmove: writing(6, TWO_KEYS, blockingMove, 'blocking'),
  lpop: writing(-2, ONE_KEY, (access, words) => pop(access, words, 'LPOP')),
  lpos: reading(-3, ONE_KEY, position),
  lpush: writing(-3, ONE_KEY, (access, words) => push(access, words, 'LPUSH', true)),
  lpushx: writing(-3, ONE_KEY, (access, words) => push(access, words, 'LPUSH', false)),
  lrange: reading(4, ONE_KEY, range),
  lrem: writing(4, ONE_KEY, remove, 'no-dbsize-check', 'slow'),
  lset: writing(4, ONE_KEY, setAt),
  ltrim: writing(4, ONE_KEY, trim, 'no-dbsize-check'),
  rpop: writing(-2, ONE_KEY, (access, words) => pop(access, words, 'RPOP')),
  rpoplpush: writing(3, TWO_KEYS, (access, words) => move(access, at(words, 1), at(words, 2), 'RIGHT', 'LEFT')),
  rpush: writing(-3, ONE_KEY, (access, words) => push(access, words, 'RPUSH', true)),
  rpushx: writing(-3, ONE_KEY, (access, words) => push(access, words, 'RPUSH', false)),
};
