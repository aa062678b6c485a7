/** The controller itself: killed, started twice, stopped, listened to. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterEvent } from '../../src/controller/events.ts';
import { ClusterClient, Controller } from './harness/controller.ts';
import { freePort, lastWords, until } from './harness/processes.ts';
import { together } from './harness/scenario.ts';

const NAMESPACES = '/namespaces';

async function namespaces(controller: Controller): Promise<ReadonlySet<string>> {
  const { namespaces: names } = await controller.call<{ namespaces: string[] }>('GET', NAMESPACES);
  return new Set(names);
}

/** A stream of events as a browser reads it. */
class EventStream {
  readonly events: ClusterEvent[] = [];
  readonly #abort = new AbortController();
  over = false;

  static async open(cluster: ClusterClient, lastEventId?: number): Promise<EventStream> {
    const stream = new EventStream();
    const headers = {
      accept: 'text/event-stream',
      ...(lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) }),
    };
    const url = `${cluster.controller.base}${cluster.path}/events`;
    const response = await fetch(url, { headers, signal: stream.#abort.signal });
    assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
    void stream.#read(response).finally(() => {
      stream.over = true;
    });
    return stream;
  }

  async #read(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    try {
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true });
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1];
          text = text.slice(end + 2);
          if (data !== undefined) this.events.push(JSON.parse(data));
        }
      }
    } catch {
      // Cut off: by us, or with the controller.
    }
  }

  get ids(): readonly number[] {
    return this.events.map((event) => event.id);
  }

  close(): void {
    this.#abort.abort();
  }
}

together('the controller itself', 3, (define) => {
  define(
    'kill -9 under writes to the API: nothing that was answered is lost',
    { nodes: 0, ownController: true },
    async (scene) => {
      const { controller } = scene;
      const answered = new Set<string>(['ns']);
      const deleted = new Set<string>();
      for (let round = 0; round < 3; round++) {
        let over = false;
        const callers = Array.from({ length: 8 }, async (_, caller) => {
          for (let n = 0; !over; n++) {
            const namespace = `r${round}-${caller}-${n}`;
            const made = await controller.request('POST', NAMESPACES, { namespace }).catch(() => undefined);
            if (made?.status !== 201) continue;
            answered.add(namespace);
            if (n % 3 !== 0) continue;
            answered.delete(namespace);
            const gone = await controller.request('DELETE', `${NAMESPACES}/${namespace}`).catch(() => undefined);
            if (gone?.status === 200) deleted.add(namespace);
          }
        });
        await sleep(300 + round * 70);
        await controller.kill();
        over = true;
        await Promise.all(callers);
        await controller.start();
        const found = await namespaces(controller);
        const lost = [...answered].filter((name) => !found.has(name));
        const risen = [...deleted].filter((name) => found.has(name));
        assert.deepEqual({ lost, risen }, { lost: [], risen: [] });
      }
      scene.note(`${answered.size} created and ${deleted.size} deleted namespaces survived three kills`);
      assert.ok(answered.size > 10 && deleted.size > 3);
    },
  );

  define(
    'a second process on the same folder is refused and names the first',
    { nodes: 0, ownController: true },
    async (scene) => {
      const { controller } = scene;
      const second = Controller.launch(await freePort(), controller.dir);
      const code = await second.ended;
      assert.equal(code, 1);
      assert.match(lastWords(second), new RegExp(`127\\.0\\.0\\.1:${controller.port}`));
      // The first one did not notice.
      await controller.call('POST', NAMESPACES, { namespace: 'after' });
      await controller.kill();
      await controller.start();
      assert.ok((await namespaces(controller)).has('after'));
    },
  );

  define(
    'SIGTERM: ends within five seconds with streams open and requests under way, and what was answered is kept',
    { nodes: 2, ownController: true },
    async (scene) => {
      const { controller } = scene;
      const cluster = await scene.create({ replicas: 2 });
      const streams = await Promise.all(Array.from({ length: 20 }, () => EventStream.open(cluster)));
      const answered: string[] = [];
      let over = false;
      const caller = (async () => {
        for (let n = 0; !over; n++) {
          const made = await controller.request('POST', NAMESPACES, { namespace: `n${n}` }).catch(() => undefined);
          if (made?.status === 201) answered.push(`n${n}`);
          else await sleep(5);
        }
      })();
      // One that would wait for a node that does not answer.
      scene.node(1).hang();
      const waiting = cluster.post('/pause', {}).catch(() => undefined);
      await sleep(200);
      const asked = performance.now();
      const code = await controller.stop();
      const took = performance.now() - asked;
      over = true;
      await Promise.all([caller, waiting]);
      scene.node(1).wake();
      assert.equal(code, 0);
      assert.ok(took < 5_000, `it took ${Math.round(took)} ms`);
      await until('the streams are over', () => streams.every((stream) => stream.over));
      await controller.start();
      const found = await namespaces(controller);
      assert.deepEqual(
        answered.filter((name) => !found.has(name)),
        [],
      );
    },
  );

  define(
    'events as a stream: resumed behind the last one that was seen, over a cut and over a restart, each once and in order',
    { nodes: 1, ownController: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 1 });
      const first = await EventStream.open(cluster);
      await cluster.post('/pause');
      await cluster.post('/resume');
      await until('two events came', () => first.events.length >= 2);
      assert.deepEqual(
        first.events.map(({ kind, by }) => [kind, by]),
        [
          ['cluster.paused', '127.0.0.1'],
          ['cluster.resumed', '127.0.0.1'],
        ],
      );
      first.close();
      await cluster.post('/pause');
      await cluster.post('/resume');
      const seen = first.ids.at(-1) ?? 0;
      const second = await EventStream.open(cluster, seen);
      await until('what was missed came', () => second.events.length >= 2);
      await cluster.post('/pause');
      await until('what is new came', () => second.events.length >= 3);
      await scene.controller.kill();
      await scene.controller.start();
      const third = await EventStream.open(cluster, second.ids.at(-1));
      await cluster.post('/resume');
      await until('what came after the restart came', () =>
        third.events.some(({ kind }) => kind === 'cluster.resumed'),
      );
      third.close();
      const all = [...first.ids, ...second.ids, ...third.ids];
      assert.deepEqual(
        all,
        [...new Set(all)].sort((a, b) => a - b),
      );
      assert.deepEqual(
        (await cluster.events(all[0])).map(({ id }) => id).filter((id) => id <= (all.at(-1) ?? 0)),
        all.slice(1),
      );
      const unknown = await scene.controller.request('GET', `${NAMESPACES}/ns/clusters/other/events`);
      assert.equal(unknown.status, 404);
    },
  );

  define(
    'a restart shows the same clusters, shards, nodes, versions and pauses',
    { nodes: 4, ownController: true },
    async (scene) => {
      const one = await scene.create({ name: 'one', nodes: scene.nodes.slice(0, 2), replicas: 2 });
      const two = await scene.create({ name: 'two', nodes: scene.nodes.slice(2), replicas: 1 });
      await one.failover(0);
      await one.settled();
      await two.post('/pause', { for: 600 });
      const look = async () => ({
        one: await one.get(),
        two: await two.get(),
        paused: (await two.status()).paused,
        events: (await one.events()).map(({ id, kind, at }) => [id, kind, at]),
      });
      const before = await look();
      assert.equal(before.paused?.by, '127.0.0.1');
      await scene.controller.kill();
      await scene.controller.start();
      const after = await look();
      assert.deepEqual({ ...after, events: after.events.slice(0, before.events.length) }, before);
      await one.settled();
      await scene.carried(one);
      const late = new ClusterClient(scene.controller, 'ns', 'two');
      await late.post('/resume');
      await late.settled();
    },
  );
});
