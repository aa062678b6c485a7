import type { Reply } from '../../reply.ts';
import { float, integer, parseFloat64, parseNumber, Refusal, texts } from '../arguments.ts';
import { type Access, at, type Commands, held, KEYS_BEFORE_TIMEOUT, ONE_KEY, reading, writing } from '../command.ts';
import { scoreWord } from '../dump.ts';
import { array, bulk, count, double, EMPTY, NIL, NIL_ARRAY, ZERO } from '../replies.ts';
import type { Scored, SortedSet } from '../sorted-set.ts';
import { byMember, byRank, byScore, limited, type Part } from './sorted-ranges.ts';

function scoresOf(access: Access, key: string): SortedSet | undefined {
  return held(access, key, 'zset')?.scores;
}

const FLAGS: ReadonlySet<string> = new Set(['XX', 'NX', 'CH', 'LT', 'GT', 'INCR']);

interface Addition {
  readonly flags: ReadonlySet<string>;
  readonly items: readonly Scored[];
}

function addition(words: readonly string[]): Addition {
  const flags = new Set<string>();
  let first = 2;
  for (; first < words.length && FLAGS.has(at(words, first).toUpperCase()); first++) {
    flags.add(at(words, first).toUpperCase());
  }
  if (flags.has('NX') && flags.has('XX')) {
    throw new Refusal('XX and NX options at the same time are not compatible');
  }
  if ((flags.has('LT') && flags.has('GT')) || (flags.has('NX') && (flags.has('LT') || flags.has('GT')))) {
    throw new Refusal('GT, LT, and/or NX options at the same time are not compatible');
  }
  const left = words.length - first;
  if (flags.has('INCR') && left !== 2) {
    throw new Refusal('INCR option supports a single increment-element pair');
  }
  if (left === 0 || left % 2 !== 0) throw new Refusal(texts.syntax);
  const items: Scored[] = [];
  for (let i = first; i < words.length; i += 2) {
    const score = float(at(words, i));
    if (Number.isNaN(score)) throw new Refusal('score is not a valid float');
    items.push({ member: at(words, i + 1), score });
  }
  return { flags, items };
}

interface Added {
  readonly added: number;
  readonly changed: number;
  /** The score of the last item as it stands now or, where a flag kept it from being set, as it was asked for. */
  readonly score: number;
}

/** Sets scores as the flags allow; of equal members the last counts. */
function addScores(access: Access, key: string, { flags, items }: Addition): Added {
  const scores = scoresOf(access, key);
  const effect = ['ZADD', key];
  const seen = new Set<string>();
  let added = 0;
  let changed = 0;
  let last = items[0]?.score ?? 0;
  for (const item of items.toReversed()) {
    if (seen.has(item.member)) continue;
    seen.add(item.member);
    const old = scores?.score(item.member);
    if (old === undefined ? flags.has('XX') : flags.has('NX')) continue;
    let score = item.score;
    if (old !== undefined && flags.has('INCR')) {
      if ((flags.has('LT') && score >= 0) || (flags.has('GT') && score <= 0)) continue;
      score += old;
      if (Number.isNaN(score)) throw new Refusal('Invalid argument: resulting score is not a number (NaN)');
      last = score;
    }
    if (old === score) continue;
    if (old !== undefined && ((flags.has('LT') && score >= old) || (flags.has('GT') && score <= old))) continue;
    if (old === undefined) added++;
    else changed++;
    // A negative zero is stored as zero.
    effect.push(scoreWord(score + 0), item.member);
  }
  if (effect.length > 2) access.commit(effect);
  return { added, changed, score: last };
}

function add(access: Access, words: readonly string[]): Reply {
  const given = addition(words);
  const { flags } = given;
  const done = addScores(access, at(words, 1), given);
  const reported = done.added + (flags.has('CH') ? done.changed : 0);
  if (!flags.has('INCR')) return count(reported);
  const bound = flags.has('NX') || flags.has('XX') || flags.has('LT') || flags.has('GT');
  return bound && done.score === given.items[0]?.score && reported === 0 ? NIL : double(done.score);
}

function incrementBy(access: Access, words: readonly string[]): Reply {
  const score = float(at(words, 2));
  if (Number.isNaN(score)) throw new Refusal('Invalid argument: resulting score is not a number (NaN)');
  const items = [{ member: at(words, 3), score }];
  return double(addScores(access, at(words, 1), { flags: new Set(['INCR']), items }).score);
}

function removeMembers(access: Access, key: string, members: Iterable<string>): number {
  const gone = new Set(members);
  if (gone.size > 0) access.commit(['ZREM', key, ...gone]);
  return gone.size;
}

function remove(access: Access, words: readonly string[]): Reply {
  const key = at(words, 1);
  const scores = scoresOf(access, key);
  const there = words.slice(2).filter((member) => scores?.score(member) !== undefined);
  return count(removeMembers(access, key, there));
}

function removePart(access: Access, key: string, part: Part): Reply {
  const scores = scoresOf(access, key);
  if (scores === undefined) return ZERO;
  return count(
    removeMembers(
      access,
      key,
      part(scores).map(({ member }) => member),
    ),
  );
}

const flat = (items: readonly Scored[]): readonly Reply[] =>
  items.flatMap(({ member, score }) => [bulk(member), double(score)]);

function ends(scores: SortedSet | undefined, end: 'min' | 'max', wanted: number): readonly Scored[] {
  const items = scores?.items ?? [];
  return end === 'min' ? items.slice(0, wanted) : items.slice(Math.max(0, items.length - wanted)).reverse();
}

function pop(access: Access, words: readonly string[], end: 'min' | 'max'): Reply {
  if (words.length > 3) throw new Refusal(texts.arity);
  const wanted = words[2] === undefined ? 1 : integer(words[2]);
  const key = at(words, 1);
  const taken = wanted > 0 ? ends(scoresOf(access, key), end, wanted) : [];
  removeMembers(
    access,
    key,
    taken.map(({ member }) => member),
  );
  return array(flat(taken));
}

/** BZPOPMIN and BZPOPMAX tried once: nothing if all sets are empty. */
function blockingPop(access: Access, words: readonly string[], end: 'min' | 'max'): Reply {
  const timeout = parseFloat64(at(words, words.length - 1));
  if (timeout === undefined) throw new Refusal('timeout is not a float or out of range');
  if (timeout < 0) throw new Refusal('timeout is negative');
  for (const key of words.slice(1, -1)) {
    const [item] = ends(scoresOf(access, key), end, 1);
    if (item === undefined) continue;
    removeMembers(access, key, [item.member]);
    return array([bulk(key), ...flat([item])]);
  }
  return NIL_ARRAY;
}

type Order = 'rank' | 'score' | 'member';

/** RESP2 has members and scores flat, RESP3 in pairs. */
function shown(items: readonly Scored[], withScores: boolean): Reply {
  if (!withScores) return array(items.map(({ member }) => bulk(member)));
  return { kind: 'pairs', items: items.map(({ member, score }) => [bulk(member), double(score)]) };
}

/** ZRANGE and its older kin, which have order and direction in their names. */
function range(access: Access, words: readonly string[], named?: { order: Order; reversed: boolean }): Reply {
  let order = named?.order;
  let reversed = named?.reversed ?? false;
  let withScores = false;
  let offset = 0;
  let limit = -1;
  for (let i = 4; i < words.length; i++) {
    const word = words[i]?.toUpperCase();
    if (word === 'WITHSCORES') {
      withScores = true;
    } else if (word === 'LIMIT') {
      const [from, most] = [parseNumber(words[i + 1] ?? ''), parseNumber(words[i + 2] ?? '')];
      if (from === undefined || most === undefined) throw new Refusal(texts.notInteger);
      offset = from;
      limit = most;
      i += 2;
    } else if (order === undefined && (word === 'BYLEX' || word === 'BYSCORE')) {
      order = word === 'BYLEX' ? 'member' : 'score';
    } else if (named === undefined && word === 'REV') {
      reversed = true;
    } else {
      throw new Refusal(texts.syntax);
    }
  }
  if (withScores && order === 'member') {
    throw new Refusal('syntax error, WITHSCORES not supported in combination with BYLEX');
  }
  const [first, second] = [at(words, 2), at(words, 3)];
  const [min, max] = reversed ? [second, first] : [first, second];
  switch (order ?? 'rank') {
    case 'rank': {
      if (limit !== -1) {
        throw new Refusal('syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX');
      }
      const part = byRank(first, second, reversed);
      const scores = scoresOf(access, at(words, 1));
      return shown(scores === undefined ? [] : part(scores), withScores);
    }
    case 'score':
    case 'member': {
      const part = order === 'member' ? byMember(min, max) : byScore(min, max);
      if (limit === 0) return EMPTY;
      const scores = scoresOf(access, at(words, 1));
      const items = scores === undefined ? [] : part(scores);
      return shown(limited(reversed ? items.toReversed() : items, offset, limit), withScores);
    }
  }
}

function rank(access: Access, words: readonly string[], reversed: boolean): Reply {
  const withScore = words.length === 4 && words[3]?.toUpperCase() === 'WITHSCORE';
  if (words.length > 4) throw new Refusal(texts.arity);
  if (words.length === 4 && !withScore) throw new Refusal(texts.syntax);
  const scores = scoresOf(access, at(words, 1));
  const found = scores?.rank(at(words, 2));
  if (scores === undefined || found === undefined) return withScore ? NIL_ARRAY : NIL;
  const place = count(reversed ? scores.size - 1 - found : found);
  return withScore ? array([place, double(scores.score(at(words, 2)) ?? 0)]) : place;
}

function countPart(access: Access, key: string, part: Part): Reply {
  const scores = scoresOf(access, key);
  return scores === undefined ? ZERO : count(part(scores).length);
}

const scoreReply = (score: number | undefined): Reply => (score === undefined ? NIL : double(score));

export const sortedSets: Commands = {
  zadd: writing(-4, ONE_KEY, add),
  zcard: reading(2, ONE_KEY, (access, words) => count(scoresOf(access, at(words, 1))?.size ?? 0)),
  zcount: reading(4, ONE_KEY, (access, words) => countPart(access, at(words, 1), byScore(at(words, 2), at(words, 3)))),
  zincrby: writing(4, ONE_KEY, incrementBy),
  zlexcount: reading(4, ONE_KEY, (access, words) =>
    countPart(access, at(words, 1), byMember(at(words, 2), at(words, 3))),
  ),
  zpopmax: writing(-2, ONE_KEY, (access, words) => pop(access, words, 'max')),
  zpopmin: writing(-2, ONE_KEY, (access, words) => pop(access, words, 'min')),
  bzpopmax: writing(-3, KEYS_BEFORE_TIMEOUT, (access, words) => blockingPop(access, words, 'max'), 'blocking'),
  bzpopmin: writing(-3, KEYS_BEFORE_TIMEOUT, (access, words) => blockingPop(access, words, 'min'), 'blocking'),
  zrange: reading(-4, ONE_KEY, (access, words) => range(access, words)),
  zrevrange: reading(-4, ONE_KEY, (access, words) => range(access, words, { order: 'rank', reversed: true })),
  zrangebylex: reading(-4, ONE_KEY, (access, words) => range(access, words, { order: 'member', reversed: false })),
  zrevrangebylex: reading(-4, ONE_KEY, (access, words) => range(access, words, { order: 'member', reversed: true })),
  zrangebyscore: reading(-4, ONE_KEY, (access, words) => range(access, words, { order: 'score', reversed: false })),
  zrevrangebyscore: reading(-4, ONE_KEY, (access, words) => range(access, words, { order: 'score', reversed: true })),
  zrank: reading(-3, ONE_KEY, (access, words) => rank(access, words, false)),
  zrevrank: reading(-3, ONE_KEY, (access, words) => rank(access, words, true)),
  zrem: writing(-3, ONE_KEY, remove, 'no-dbsize-check'),
  zremrangebyrank: writing(
    4,
    ONE_KEY,
    (access, words) => removePart(access, at(words, 1), byRank(at(words, 2), at(words, 3), false)),
    'no-dbsize-check',
  ),
  zremrangebyscore: writing(
    4,
    ONE_KEY,
    (access, words) => removePart(access, at(words, 1), byScore(at(words, 2), at(words, 3))),
    'no-dbsize-check',
  ),
  zremrangebylex: writing(
    4,
    ONE_KEY,
    (access, words) => removePart(access, at(words, 1), byMember(at(words, 2), at(words, 3))),
    'no-dbsize-check',
  ),
  zscore: reading(3, ONE_KEY, (access, words) => scoreReply(scoresOf(access, at(words, 1))?.score(at(words, 2)))),
  zmscore: reading(-3, ONE_KEY, (access, words) => {
    const scores = scoresOf(access, at(words, 1));
    return array(words.slice(2).map((member) => scoreReply(scores?.score(member))));
  }),
};
