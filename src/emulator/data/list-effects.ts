import type { Effect } from './effects.ts';
import type { Keyspace } from './keyspace.ts';
import type { ListValue } from './values.ts';

function listAt(keyspace: Keyspace, key: string): ListValue | undefined {
  const value = keyspace.get(key)?.value;
  return value?.kind === 'list' ? value : undefined;
}

function push(keyspace: Keyspace, key: string, texts: readonly string[], left: boolean): number {
  let list = listAt(keyspace, key);
  if (list === undefined) {
    list = { kind: 'list', items: [] };
    keyspace.put(key, { value: list, expireAt: 0 });
  }
  for (const text of texts) {
    if (left) list.items.unshift(text);
    else list.items.push(text);
  }
  return texts.length + 1;
}

function pop(keyspace: Keyspace, key: string, count: number, left: boolean): number {
  const list = listAt(keyspace, key);
  if (list === undefined) return 0;
  const taken = Math.min(count, list.items.length);
  if (taken === 1) {
    if (left) list.items.shift();
    else list.items.pop();
  } else {
    list.items.splice(left ? 0 : list.items.length - taken, taken);
  }
  if (list.items.length === 0) keyspace.remove(key);
  return taken + 1;
}

/**
 * LTRIM key start stop: positions from 0, kept inclusively; a stop of -1 keeps none. The server deletes every position
 * before the start, be it there or not.
 */
function trim(keyspace: Keyspace, key: string, start: number, stop: number): number {
  const list = listAt(keyspace, key);
  if (list === undefined) return 0;
  const size = list.items.length;
  list.items.splice(stop + 1);
  list.items.splice(0, start);
  if (list.items.length === 0) keyspace.remove(key);
  return start + Math.max(0, size - stop - 1) + 1;
}

/** The server closes the gaps from the shorter side, rewriting each element it moves. */
function remove(keyspace: Keyspace, key: string, count: number, text: string): number {
  const list = listAt(keyspace, key);
  if (list === undefined) return 0;
  const { items } = list;
  const doomed: number[] = [];
  const limit = count === 0 ? items.length : Math.abs(count);
  if (count >= 0) {
    for (let i = 0; i < items.length && doomed.length < limit; i++) if (items[i] === text) doomed.push(i);
  } else {
    for (let i = items.length - 1; i >= 0 && doomed.length < limit; i--) if (items[i] === text) doomed.unshift(i);
  }
  const first = doomed[0];
  const last = doomed[doomed.length - 1];
  if (first === undefined || last === undefined) return 0;
  if (doomed.length === items.length) {
    keyspace.remove(key);
    return 1;
  }
  const records = Math.min(last + 1, items.length - first) + 1;
  const gone = new Set(doomed);
  const rest = items.filter((_, i) => !gone.has(i));
  items.length = 0;
  for (const item of rest) items.push(item);
  return records;
}

function insert(keyspace: Keyspace, key: string, before: boolean, pivot: string, text: string): number {
  const list = listAt(keyspace, key);
  const found = list?.items.indexOf(pivot) ?? -1;
  if (list === undefined || found < 0) return 0;
  const at = before ? found : found + 1;
  const moved = Math.min(at, list.items.length - at);
  list.items.splice(at, 0, text);
  return moved + 2;
}

function move(keyspace: Keyspace, from: string, to: string, fromLeft: boolean, toLeft: boolean): number {
  const list = listAt(keyspace, from);
  if (list === undefined) return 0;
  const text = list.items[fromLeft ? 0 : list.items.length - 1] ?? '';
  if (from === to) {
    if (fromLeft === toLeft || list.items.length === 1) return 0;
    pop(keyspace, from, 1, fromLeft);
    push(keyspace, to, [text], toLeft);
    return 3;
  }
  return pop(keyspace, from, 1, fromLeft) + push(keyspace, to, [text], toLeft);
}

/** The effects on lists; undefined for others. */
export function performList(keyspace: Keyspace, effect: Effect): number | undefined {
  const key = effect[1] ?? '';
  switch (effect[0]) {
    case 'LPUSH':
      return push(keyspace, key, effect.slice(2), true);
    case 'RPUSH':
      return push(keyspace, key, effect.slice(2), false);
    case 'LPOP':
      return pop(keyspace, key, Number(effect[2]), true);
    case 'RPOP':
      return pop(keyspace, key, Number(effect[2]), false);
    case 'LSET': {
      const list = listAt(keyspace, key);
      const at = Number(effect[2]);
      const text = effect[3] ?? '';
      if (list === undefined || at >= list.items.length || list.items[at] === text) return 0;
      list.items[at] = text;
      return 1;
    }
    case 'LTRIM':
      return trim(keyspace, key, Number(effect[2]), Number(effect[3]));
    case 'LREM':
      return remove(keyspace, key, Number(effect[2]), effect[3] ?? '');
    case 'LINSERT':
      return insert(keyspace, key, effect[2] === 'BEFORE', effect[3] ?? '', effect[4] ?? '');
    case 'LMOVE':
      return move(keyspace, key, effect[2] ?? '', effect[3] === 'LEFT', effect[4] === 'LEFT');
    default:
      return undefined;
  }
}
