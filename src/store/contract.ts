/** What every engine promises, as tests: each engine's own test file calls `storeContract`. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { compareKeys } from './keys.ts';
import type { CampaignEvent, Change, Entry, Leadership, Revision, Store, WatchEvent, Write } from './port.ts';
import { StoreUnavailable } from './port.ts';

/** One empty store, and clients of it. */
export interface Engine {
  /** A handle as a process has it; engines that one process has to itself may answer the same one again. */
  client(): Promise<Store>;
  close(): Promise<void>;
}

/** How long the suite waits for something that must come; far beyond what any engine needs. */
const PATIENCE = 10_000;

/** Events as they come, and a promise of each thing that is waited for. */
class Heard<E> {
  readonly all: E[] = [];
  #wake: () => void = () => {};
  #taken = 0;

  readonly on = (event: E): void => {
    this.all.push(event);
    this.#wake();
  };

  /** The next event not yet taken. */
  async next(): Promise<E> {
    while (this.all.length <= this.#taken) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`nothing came; heard ${JSON.stringify(this.all)}`)), PATIENCE);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const event = this.all[this.#taken++];
    assert.ok(event !== undefined);
    return event;
  }
}

async function lead(store: Store, identity = 'one'): Promise<Leadership> {
  const heard = new Heard<CampaignEvent>();
  store.campaign(identity, heard.on);
  for (;;) {
    const event = await heard.next();
    if (event.kind === 'leading') return event.leadership;
  }
}

/** Commits what must succeed. */
async function write(store: Store, fence: string, writes: readonly Write[]): Promise<Revision> {
  const done = await store.commit(writes, fence);
  assert.equal(done.kind, 'committed', JSON.stringify(done));
  return done.kind === 'committed' ? done.revision : 0;
}

function put(key: string, value: string, expected?: Revision): Write {
  return { key, value, expected };
}

function del(key: string, expected?: Revision): Write {
  return { key, value: null, expected };
}

function brief(change: Change): string {
  return change.kind === 'put' ? `${change.entry.key}=${change.entry.value}` : `${change.key} gone`;
}

async function nextChanges(heard: Heard<WatchEvent>): Promise<{ revision: Revision; changes: string[] }> {
  const event = await heard.next();
  assert.equal(event.kind, 'changes', JSON.stringify(event));
  return event.kind === 'changes'
    ? { revision: event.revision, changes: event.changes.map(brief) }
    : { revision: 0, changes: [] };
}

function pairs(entries: readonly Entry[]): string[] {
  return entries.map((entry) => `${entry.key}=${entry.value}`);
}

export function storeContract(name: string, open: () => Promise<Engine>): void {
  function situation(title: string, body: (engine: Engine, t: TestContext) => Promise<void>): void {
    test(`${name}: ${title}`, async (t) => {
      const engine = await open();
      try {
        await body(engine, t);
      } finally {
        await engine.close();
      }
    });
  }

  situation('empty-store: reads answer undefined, a list has nothing', async (engine) => {
    const store = await engine.client();
    assert.deepEqual(await store.read(['/a', '/b']), [undefined, undefined]);
    assert.deepEqual(await store.read([]), []);
    assert.deepEqual((await store.list('/')).entries, []);
  });

  situation('read-several-keys: in the order asked, absent ones undefined, repeated ones repeated', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    const revision = await write(store, fence, [put('/a', '1'), put('/b', '2')]);
    const a = { key: '/a', value: '1', revision };
    const b = { key: '/b', value: '2', revision };
    assert.deepEqual(await store.read(['/b', '/x', '/a', '/b']), [b, undefined, a, b]);
  });

  situation('list-in-key-order: by UTF-8 bytes, whatever the order of writing', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    const keys = ['/p/b', '/p/a/x', '/p/a', '/p/B', '/p/é', '/p/\u{1f600}', '/p/\uffee', '/p/10', '/p/9', '/p/a-'];
    await write(
      store,
      fence,
      keys.map((key) => put(key, 'v')),
    );
    const bytewise = [...keys].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
    assert.deepEqual(
      (await store.list('/p/')).entries.map((entry) => entry.key),
      bytewise,
    );
    assert.deepEqual([...keys].sort(compareKeys), bytewise);
  });

  situation('prefix-boundaries: exactly the keys that start with it', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    const keys = ['/n', '/n/', '/n/a', '/n/a/b', '/n0', '/n.', '/m/z', '/o', '/n\u{10ffff}', '/n\u{10ffff}x', '/n_%'];
    await write(
      store,
      fence,
      keys.map((key) => put(key, 'v')),
    );
    for (const prefix of ['/n', '/n/', '/n/a', '/n/a/b', '/n/a/b/c', '/n\u{10ffff}', '/n_', '/n%', '/', '']) {
      const expected = keys.filter((key) => key.startsWith(prefix)).sort(compareKeys);
      assert.deepEqual(
        (await store.list(prefix)).entries.map((entry) => entry.key),
        expected,
        `prefix ${JSON.stringify(prefix)}`,
      );
    }
  });

  situation('unicode-and-odd-values: come back as they went in', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    const values = [
      '',
      ' ',
      'null',
      '{"a":"\\u0000"}',
      'é\u{1f600}漢字',
      "'; DROP TABLE records; --",
      'line\r\nbreak\ttab',
    ];
    await write(
      store,
      fence,
      values.map((value, i) => put(`/名前/${i}/é`, value)),
    );
    assert.deepEqual(
      (await store.list('/名前/')).entries.map((entry) => entry.value),
      values,
    );
  });

  situation('not-well-formed-text: refused, nothing written', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    for (const bad of [put('/x\ud800', 'v'), put('/x', '\udc00'), put('', 'v')]) {
      assert.equal((await store.commit([put('/good', 'v'), bad], fence)).kind, 'failed');
    }
    assert.equal((await store.commit([put('/x', '1'), put('/x', '2')], fence)).kind, 'failed');
    assert.deepEqual((await store.list('')).entries, []);
  });

  situation('big-values: a megabyte of mixed text, and a thousand keys in one commit', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    const big = 'aé漢\u{1f600}'.repeat(100_000);
    await write(store, fence, [put('/big', big)]);
    assert.equal((await store.read(['/big']))[0]?.value, big);
    const many = Array.from({ length: 1_000 }, (_, i) => put(`/many/${String(i).padStart(4, '0')}`, `value ${i}`, 0));
    const revision = await write(store, fence, many);
    const { entries } = await store.list('/many/');
    assert.deepEqual(
      pairs(entries),
      many.map((each) => `${each.key}=${each.value}`),
    );
    assert.ok(entries.every((entry) => entry.revision === revision));
  });

  situation('revisions-rise: with every commit, and each key keeps its own', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    const first = await write(store, fence, [put('/a', '1')]);
    const second = await write(store, fence, [put('/b', '1')]);
    const third = await write(store, fence, [put('/a', '2', first)]);
    assert.ok(0 < first && first < second && second < third, `${first} ${second} ${third}`);
    const [a, b] = await store.read(['/a', '/b']);
    assert.deepEqual([a?.revision, b?.revision], [third, second]);
    assert.ok((await store.list('/')).revision >= third);
  });

  situation('expected-revision: 0 needs absence, a number exactly that, undefined anything', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    const first = await write(store, fence, [put('/a', '1', 0)]);
    assert.deepEqual(await store.commit([put('/a', 'x', 0)], fence), { kind: 'conflict', keys: ['/a'] });
    assert.deepEqual(await store.commit([put('/b', 'x', first)], fence), { kind: 'conflict', keys: ['/b'] });
    const second = await write(store, fence, [put('/a', '2', first)]);
    assert.deepEqual(await store.commit([put('/a', 'x', first)], fence), { kind: 'conflict', keys: ['/a'] });
    await write(store, fence, [put('/a', '3'), put('/b', '1')]);
    assert.deepEqual(await store.commit([put('/a', 'x', second)], fence), { kind: 'conflict', keys: ['/a'] });
    assert.deepEqual(pairs((await store.list('/')).entries), ['/a=3', '/b=1']);
  });

  situation('conflict-in-one-key-of-many: names exactly the keys at fault, writes none', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    const revision = await write(store, fence, [put('/a', '1'), put('/b', '1'), put('/c', '1')]);
    await write(store, fence, [put('/b', '2')]);
    const lost = await store.commit(
      [put('/a', 'x', revision), put('/b', 'x', revision), put('/new', 'x', 0), del('/gone', revision), del('/c')],
      fence,
    );
    assert.deepEqual(lost, { kind: 'conflict', keys: ['/b', '/gone'] });
    assert.deepEqual(pairs((await store.list('/')).entries), ['/a=1', '/b=2', '/c=1']);
  });

  situation('delete: gone from reads and lists, then absent again for expected 0', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    const first = await write(store, fence, [put('/a', '1', 0), put('/b', '1', 0)]);
    assert.deepEqual(await store.commit([del('/a', first + 1_000)], fence), { kind: 'conflict', keys: ['/a'] });
    const second = await write(store, fence, [del('/a', first)]);
    assert.deepEqual(await store.read(['/a']), [undefined]);
    assert.deepEqual(pairs((await store.list('/')).entries), ['/b=1']);
    await write(store, fence, [del('/a'), del('/never', 0)]);
    const again = await write(store, fence, [put('/a', '2', 0)]);
    assert.ok(again > second);
    assert.equal((await store.read(['/a']))[0]?.revision, again);
  });

  situation('commit-without-writes: says whether the fence leads', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    assert.equal((await store.commit([], fence)).kind, 'committed');
    assert.equal((await store.commit([], 'never-led')).kind, 'fenced');
  });

  situation('two-commits-from-one-revision: exactly one wins', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    let revision = await write(store, fence, [put('/a', 'start', 0), put('/b', 'start', 0)]);
    for (let round = 0; round < 10; round++) {
      const from = revision;
      const results = await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          store.commit([put('/a', `${round}.${i}`, from), put('/b', `${round}.${i}`, from)], fence),
        ),
      );
      const winners = results.flatMap((result, i) => (result.kind === 'committed' ? [i] : []));
      assert.equal(winners.length, 1, JSON.stringify(results));
      assert.equal(results.filter((result) => result.kind === 'conflict').length, 7);
      const [a, b] = await store.read(['/a', '/b']);
      assert.deepEqual([a?.value, b?.value], [`${round}.${winners[0]}`, `${round}.${winners[0]}`]);
      revision = a?.revision ?? 0;
    }
  });

  situation('many-commits-at-once: each judged on its own, a conflict spoils no neighbour', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    await write(store, fence, [put('/taken', '1')]);
    const results = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        store.commit([put(`/k/${i}`, 'v', 0), put(i % 3 === 0 ? '/taken' : `/own/${i}`, 'v', 0)], fence),
      ),
    );
    assert.deepEqual(
      results.map((result) => result.kind),
      results.map((_, i) => (i % 3 === 0 ? 'conflict' : 'committed')),
    );
    const revisions = results.flatMap((result) => (result.kind === 'committed' ? [result.revision] : []));
    assert.equal(new Set(revisions).size, 40);
    assert.equal((await store.list('/k/')).entries.length, 40);
    assert.equal((await store.list('/own/')).entries.length, 40);
  });

  situation('watch-from-a-list: commits in between and after come once each, in order', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    await write(store, fence, [put('/w/old', 'x')]);
    const { revision } = await store.list('/w/');
    const between = await write(store, fence, [put('/w/b', '1'), put('/w/a', '1'), put('/other', '1')]);
    await write(store, fence, [put('/other', '2')]);
    const heard = new Heard<WatchEvent>();
    const watch = store.watch('/w/', revision, heard.on);
    assert.equal(heard.all.length, 0, 'nothing is told before watch returns');
    const after = await write(store, fence, [del('/w/old'), put('/w/a', '2'), del('/w/never')]);
    assert.deepEqual(await nextChanges(heard), { revision: between, changes: ['/w/a=1', '/w/b=1'] });
    assert.deepEqual(await nextChanges(heard), { revision: after, changes: ['/w/a=2', '/w/old gone'] });
    watch.close();
  });

  situation('watch-begun-amid-commits: a list and its watch together miss nothing', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    const total = 60;
    const commits = (async () => {
      for (let i = 1; i <= total; i++) await write(store, fence, [put('/c/n', String(i)), put(`/c/${i}`, 'v')]);
    })();
    for (let watcher = 0; watcher < 5; watcher++) {
      const { entries, revision } = await store.list('/c/');
      let seen = Number(entries.find((entry) => entry.key === '/c/n')?.value ?? '0');
      const heard = new Heard<WatchEvent>();
      const watch = store.watch('/c/n', revision, heard.on);
      let last = revision;
      while (seen < total) {
        const event = await nextChanges(heard);
        assert.deepEqual(event.changes, [`/c/n=${++seen}`]);
        assert.ok(event.revision > last);
        last = event.revision;
        if (watcher < 4 && seen % 12 === 0) break;
      }
      watch.close();
    }
    await commits;
  });

  situation('watch-closed: nothing more is told, from within its own call either', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    const { revision } = await store.list('/');
    const closed = new Heard<WatchEvent>();
    store.watch('/', revision, closed.on).close();
    const once = new Heard<WatchEvent>();
    const watch = store.watch('/', revision, (event) => {
      once.on(event);
      watch.close();
    });
    const open = new Heard<WatchEvent>();
    const witness = store.watch('/', revision, open.on);
    await Promise.all([1, 2, 3].map((i) => write(store, fence, [put('/x', String(i))])));
    for (let i = 0; i < 3; i++) await nextChanges(open);
    witness.close();
    watch.close();
    await write(store, fence, [put('/x', 'last')]);
    await store.read(['/x']);
    assert.deepEqual([closed.all.length, once.all.length, open.all.length], [0, 1, 3]);
  });

  situation('watch-by-another-client: sees what the leader commits', async (engine) => {
    const leader = await engine.client();
    const follower = await engine.client();
    const { fence } = await lead(leader);
    const { revision } = await follower.list('/');
    const heard = new Heard<WatchEvent>();
    const watch = follower.watch('/', revision, heard.on);
    const at = await write(leader, fence, [put('/x', '1')]);
    assert.deepEqual(await nextChanges(heard), { revision: at, changes: ['/x=1'] });
    assert.equal((await follower.read(['/x']))[0]?.value, '1');
    watch.close();
  });

  situation('no-leader-or-a-made-up-fence: nothing is written', async (engine) => {
    const store = await engine.client();
    assert.deepEqual(await store.commit([put('/a', '1')], ''), { kind: 'fenced' });
    assert.deepEqual(await store.commit([put('/a', '1')], 'made-up'), { kind: 'fenced' });
    assert.deepEqual((await store.list('')).entries, []);
  });

  situation(
    'two-campaigns: one leads, the other follows, names it, and takes over after it resigns',
    async (engine) => {
      const [a, b] = [await engine.client(), await engine.client()];
      const [heardA, heardB] = [new Heard<CampaignEvent>(), new Heard<CampaignEvent>()];
      a.campaign('host-a:9379', heardA.on);
      const first = await heardA.next();
      assert.ok(first.kind === 'leading');
      assert.ok(first.leadership.heldUntil() > 0);
      b.campaign('host-b:9379', heardB.on);
      assert.deepEqual(await heardB.next(), { kind: 'following', leader: 'host-a:9379' });
      await write(a, first.leadership.fence, [put('/who', 'a', 0)]);

      await first.leadership.resign();
      assert.deepEqual(await a.commit([put('/who', 'late')], first.leadership.fence), { kind: 'fenced' });
      const second = await heardB.next();
      assert.ok(second.kind === 'leading');
      assert.notEqual(second.leadership.fence, first.leadership.fence);
      await write(b, second.leadership.fence, [put('/who', 'b')]);
      assert.deepEqual(await a.commit([put('/who', 'late')], first.leadership.fence), { kind: 'fenced' });
      assert.equal((await a.read(['/who']))[0]?.value, 'b');
      assert.deepEqual(await heardA.next(), { kind: 'following', leader: 'host-b:9379' });
      await first.leadership.resign();
      await write(b, second.leadership.fence, [put('/who', 'still b')]);
    },
  );

  situation(
    'campaign-closed: the leader gives up, the next one leads; a waiting one leaves the line',
    async (engine) => {
      const stores = [await engine.client(), await engine.client(), await engine.client()] as const;
      const heard = [new Heard<CampaignEvent>(), new Heard<CampaignEvent>(), new Heard<CampaignEvent>()] as const;
      const first = stores[0].campaign('one', heard[0].on);
      const led = await heard[0].next();
      assert.ok(led.kind === 'leading');
      const second = stores[1].campaign('two', heard[1].on);
      assert.deepEqual(await heard[1].next(), { kind: 'following', leader: 'one' });
      stores[2].campaign('three', heard[2].on);
      assert.deepEqual(await heard[2].next(), { kind: 'following', leader: 'one' });
      await second.close();
      await first.close();
      const next = await heard[2].next();
      assert.ok(next.kind === 'leading', JSON.stringify(next));
      assert.deepEqual(await stores[0].commit([put('/x', 'late')], led.leadership.fence), { kind: 'fenced' });
      await write(stores[2], next.leadership.fence, [put('/x', '1', 0)]);
      assert.equal(heard[0].all.length, 1);
      assert.equal(heard[1].all.length, 1);
    },
  );

  situation('resigned-alone: leads again under a new fence, the old one is void', async (engine) => {
    const store = await engine.client();
    const heard = new Heard<CampaignEvent>();
    store.campaign('one', heard.on);
    const first = await heard.next();
    assert.ok(first.kind === 'leading');
    await first.leadership.resign();
    const second = await heard.next();
    assert.ok(second.kind === 'leading');
    assert.deepEqual(await store.commit([put('/x', '1')], first.leadership.fence), { kind: 'fenced' });
    await write(store, second.leadership.fence, [put('/x', '2')]);
  });

  situation('store-closed: reads reject, commits fail, watches and campaigns are silent', async (engine) => {
    const store = await engine.client();
    const { fence } = await lead(store);
    const heard = new Heard<WatchEvent>();
    store.watch('/', (await store.list('/')).revision, heard.on);
    await store.close();
    await store.close();
    await assert.rejects(store.read(['/a']), StoreUnavailable);
    await assert.rejects(store.list('/'), StoreUnavailable);
    assert.equal((await store.commit([put('/a', '1')], fence)).kind, 'failed');
    assert.equal(heard.all.length, 0);
  });
}
