import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Happening } from '../decisions/world.ts';
import type { Entry, Store } from '../store/port.ts';
import type { ClusterEvent } from './events.ts';
import { History } from './history.ts';
import { eventKey } from './records.ts';

const NEVER = () => assert.fail('not asked for');

/** Only what history asks of a store. */
function shelf() {
  const kept = new Map<string, string>();
  const store: Store = {
    read: NEVER,
    watch: NEVER,
    campaign: NEVER,
    commit: NEVER,
    close: NEVER,
    list: (prefix) =>
      Promise.resolve({
        revision: 1,
        entries: [...kept]
          .filter(([key]) => key.startsWith(prefix))
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, value]): Entry => ({ key, value, revision: 1 })),
      }),
  };
  return { kept, store };
}

function historyAt(start: number, nextId = 1) {
  const { kept, store } = shelf();
  const clock = { wall: start, now: () => 0 };
  const history = new History(store, { now: clock.now, wall: () => clock.wall }, 'ns', 'c1', nextId);
  /** As a commit does it: stamped, written, told. */
  const happen = (...happenings: readonly Happening[]): readonly ClusterEvent[] => {
    const events = history.stamp(happenings, 7);
    for (const { key, value } of history.writes(events)) {
      if (value === null) kept.delete(key);
      else kept.set(key, value);
    }
    history.publish(events);
    return events;
  };
  return { clock, history, happen, kept };
}

const WALL = 1_795_000_000_000;
const WEEK = 7 * 24 * 3_600_000;
const what = (message = 'x'): Happening => ({ kind: 'node.up', message, by: 'controller' });

test('events are numbered in the order in which they happened, also when the clock stands still or goes back', () => {
  const { clock, happen } = historyAt(WALL);
  const ids = [...happen(what(), what())];
  clock.wall = WALL - 60_000;
  ids.push(...happen(what()));
  const numbers = ids.map((event) => event.id);
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
  );
});

test('a successor spends no number twice, though events were stored that its record does not know of', () => {
  const first = historyAt(WALL, 5);
  const last = first.happen(what(), what(), what()).at(-1)?.id ?? 0;
  const successor = historyAt(WALL + 1, 5);
  assert.ok((successor.happen(what())[0]?.id ?? 0) > last);
});

test('a successor whose clock is behind goes on from the number in the record', () => {
  const { happen } = historyAt(1_000, 9_000_000);
  assert.equal(happen(what())[0]?.id, 9_000_000);
});

test('read from a number on: the newest of them, oldest first', async () => {
  const { history, happen } = historyAt(WALL);
  const ids = Array.from({ length: 5 }, (_, i) => happen(what(`${i}`))[0]?.id ?? 0);
  const read = async (after: number, limit: number) => (await history.read(after, limit)).map((event) => event.message);
  assert.deepEqual(await read(0, 10), ['0', '1', '2', '3', '4']);
  assert.deepEqual(await read(ids[2] ?? 0, 10), ['3', '4']);
  assert.deepEqual(await read(0, 2), ['3', '4']);
  assert.deepEqual(await read(ids[4] ?? 0, 10), []);
});

test('none asked for, none given', async () => {
  const { history, happen } = historyAt(WALL);
  happen(what());
  assert.deepEqual(await history.read(0, 0), []);
});

test('what this process has forgotten is read from the store', async () => {
  const { history, happen } = historyAt(WALL);
  for (let i = 0; i < 600; i++) happen(what(`${i}`));
  const all = await history.read(0, 1_000);
  assert.equal(all.length, 600);
  assert.equal(all[0]?.message, '0');
});

test('listeners hear what happens, until they close', () => {
  const { history, happen } = historyAt(WALL);
  const heard: string[] = [];
  const watch = history.watch((event) => heard.push(event.message));
  happen(what('a'), what('b'));
  watch.close();
  happen(what('c'));
  assert.deepEqual(heard, ['a', 'b']);
});

test('events of a week ago go with a later write', async () => {
  const { clock, history, happen, kept } = historyAt(WALL);
  const old = happen(what('old'))[0]?.id ?? 0;
  clock.wall = WALL + WEEK + 1;
  for (let i = 0; i < 256; i++) happen(what('new'));
  // Looking for what is too old takes a turn.
  await history.read(0, 1);
  await Promise.resolve();
  happen(what('last'));
  assert.equal(kept.has(eventKey('ns', 'c1', old)), false);
  assert.equal(kept.size, 257);
});

test('a record of a later format, or that is none, is passed over', async () => {
  const { happen, history, kept } = historyAt(WALL);
  const [known] = happen(what('known'));
  kept.set(eventKey('ns', 'c1', 1), JSON.stringify({ format: 2, id: 1, what: 'of a later release' }));
  kept.set(eventKey('ns', 'c1', 2), '{');
  assert.deepEqual(await history.read(0, 10), [known]);
});
