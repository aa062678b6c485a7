import { floatText } from './arguments.ts';
import { type Effect, setEffect } from './effects.ts';
import { idText } from './stream-effects.ts';
import type { Entry, Value } from './values.ts';

/** Effects that make `key` what the entry says, whatever it was before. */
export function dumpEffects(key: string, entry: Entry): readonly Effect[] {
  if (entry.value.kind === 'string') {
    return [setEffect(key, entry.value.text, entry.expireAt)];
  }
  // The key may hold something else where this is run; its removal is numbered only if it does.
  const effects: Effect[] = [['DEL', key], ...valueEffects(key, entry.value)];
  if (entry.expireAt !== 0) effects.push(['PEXPIREAT', key, String(entry.expireAt)]);
  return effects;
}

function valueEffects(key: string, value: Value): readonly Effect[] {
  switch (value.kind) {
    case 'string':
      return [['SET', key, value.text]];
    case 'hash': {
      const effect = ['HSET', key];
      for (const [field, text] of value.fields) effect.push(field, text);
      return [effect];
    }
    case 'list':
      return [['RPUSH', key].concat(value.items)];
    case 'set':
      return [['SADD', key].concat([...value.members])];
    case 'zset': {
      const effect = ['ZADD', key];
      for (const { member, score } of value.scores.items) effect.push(scoreWord(score), member);
      return [effect];
    }
    case 'bitmap': {
      const effect = ['BITMAP', key, String(value.size)];
      for (const [index, bytes] of value.segments) effect.push(String(index), Buffer.from(bytes).toString('latin1'));
      return [effect];
    }
    case 'stream': {
      const effects: Effect[] = value.entries.map(({ id, fields }) => ['XADD', key, idText(id), ...fields]);
      effects.push(['XSETID', key, idText(value.lastId), String(value.added), idText(value.maxDeletedId)]);
      return effects;
    }
  }
}

/** A score in a form that `Number` reads back exactly. */
export function scoreWord(score: number): string {
  return Number.isFinite(score) ? floatText(score) : String(score);
}
