/** One process' handle on the model store: `new MemoryClient(server, runtime)`. */
import type { Duration, Runtime } from '../../runtime/runtime.ts';
import { Subscription } from '../change-log.ts';
import { refusalOf } from '../keys.ts';
import type { CampaignEvent, Committed, Entry, Fence, Revision, Store, Watch, WatchEvent, Write } from '../port.ts';
import { StoreUnavailable } from '../port.ts';
import { MemoryCampaign } from './campaign.ts';
import type { LinkFaults, Reach } from './link.ts';
import { Link } from './link.ts';
import type { MemoryServer } from './server.ts';

export interface MemoryClientOptions {
  /** How long an answer is waited for. Default 2 s. */
  readonly timeout?: Duration;
}

const CLOSED = 'the store is closed';

export class MemoryClient implements Store {
  readonly #server: MemoryServer;
  readonly #runtime: Runtime;
  readonly #link: Link;
  readonly #name: number;
  readonly #watches = new Set<Watch>();
  readonly #campaigns = new Set<MemoryCampaign>();
  #sessions = 0;
  #open = true;

  /** `runtime` is the client's own: its stalls and its clock are not the server's. */
  constructor(server: MemoryServer, runtime: Runtime, options: MemoryClientOptions = {}) {
    this.#server = server;
    this.#runtime = runtime;
    this.#link = new Link(runtime, server.runtime, options.timeout ?? 2_000);
    this.#name = server.nextClient();
  }

  get faults(): LinkFaults {
    return this.#link.faults;
  }

  get reach(): Reach {
    return this.#link.reach;
  }

  set reach(reach: Reach) {
    this.#link.reach = reach;
  }

  /** The process ends without a goodbye: no call of it is answered any more, its lease runs out by itself. */
  kill(): void {
    this.#link.kill();
    this.#release();
    for (const campaign of this.#campaigns) campaign.stop();
  }

  read(keys: readonly string[]): Promise<readonly (Entry | undefined)[]> {
    return this.#ask(() => keys.map((key) => this.#server.read(key)));
  }

  list(prefix: string): Promise<{ readonly entries: readonly Entry[]; readonly revision: Revision }> {
    return this.#ask(() => ({ entries: this.#server.list(prefix), revision: this.#server.revision }));
  }

  async commit(writes: readonly Write[], fence: Fence): Promise<Committed> {
    if (!this.#open) return { kind: 'failed', why: CLOSED };
    const refusal = refusalOf(writes);
    if (refusal !== undefined) return { kind: 'failed', why: refusal };
    const answer = await this.#link.ask('commit', () => this.#server.commit(writes, fence));
    switch (answer.kind) {
      case 'answer':
        return answer.value;
      case 'refused':
        return { kind: 'failed', why: 'the store refuses connections' };
      case 'lost':
        return { kind: 'unknown', why: answer.why };
    }
  }

  watch(prefix: string, from: Revision, on: (event: WatchEvent) => void): Watch {
    const link = this.#link;
    const server = this.#server;
    const catchUp = () => {
      const limit = server.revision;
      link.tell('news', () => subscription.pump(limit));
    };
    const lose = (why: string) => subscription.end({ kind: 'lost', why });
    let silence = () => {};
    const heed = (reach: Reach) => {
      silence();
      if (reach === 'up') catchUp();
      if (reach === 'silent') silence = link.afterSilence(() => lose('the store does not answer'));
      if (reach === 'refused') this.#runtime.timers.after(0, () => lose('the store refuses connections'));
    };
    const unobserve = server.observe(catchUp);
    const unreach = link.onReach(heed);
    const subscription = new Subscription(server.log, prefix, from, on, () => {
      unobserve();
      unreach();
      silence();
      this.#watches.delete(subscription);
    });
    this.#watches.add(subscription);
    if (this.#open) heed(link.reach);
    else this.#runtime.timers.after(0, () => lose(CLOSED));
    return subscription;
  }

  campaign(identity: string, on: (event: CampaignEvent) => void): { close(): Promise<void> } {
    if (!this.#open) {
      this.#runtime.timers.after(0, () => on({ kind: 'lost', why: CLOSED }));
      return { close: async () => {} };
    }
    const newId = () => `${this.#name}-${++this.#sessions}`;
    const campaign = new MemoryCampaign(this.#server, this.#link, this.#runtime, identity, newId, on);
    this.#campaigns.add(campaign);
    return {
      close: async () => {
        this.#campaigns.delete(campaign);
        await campaign.close();
      },
    };
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#release();
    await Promise.all([...this.#campaigns].map((campaign) => campaign.close()));
    this.#campaigns.clear();
  }

  #release(): void {
    for (const watch of this.#watches) watch.close();
  }

  async #ask<A>(serve: () => A): Promise<A> {
    if (!this.#open) throw new StoreUnavailable(CLOSED);
    const answer = await this.#link.ask('read', serve);
    switch (answer.kind) {
      case 'answer':
        return answer.value;
      case 'refused':
        throw new StoreUnavailable('the store refuses connections');
      case 'lost':
        throw new StoreUnavailable(answer.why);
    }
  }
}
