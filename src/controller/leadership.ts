/** Campaigns for leadership and, while it leads, keeps the reign: begun by reading the store, ended by any doubt. */
import type { Instant } from '../runtime/runtime.ts';
import type { Leadership as Token } from '../store/port.ts';
import { Reign, type ReignContext } from './reign.ts';

export interface LeadershipContext extends Omit<ReignContext, 'doubted' | 'unfit'> {
  /** `host:port` of the HTTP API: how other controllers and people name this one. */
  readonly identity: string;
}

const RETRY_LOAD = 1_000;
/** A reign that was doubted sooner is followed by the next one after a pause. */
const PACE = 5_000;
/** Before leadership is given up. */
const LOADS = 10;

export class Leadership {
  readonly #context: LeadershipContext;
  #reign: Reign | undefined;
  #leader: string | undefined;
  #campaign: { close(): Promise<void> } | undefined;
  /** The token that leads now: what was read under an earlier one is thrown away. */
  #token: Token | undefined;
  /** When the newest reign began. */
  #since: Instant = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(context: LeadershipContext) {
    this.#context = context;
  }

  /** Undefined while another leads, nobody knows, or what is stored is still being read. */
  get reign(): Reign | undefined {
    return this.#reign;
  }

  /** Who leads, as `host:port`; undefined when nobody does or nobody knows. */
  get leader(): string | undefined {
    return this.#leader;
  }

  start(): void {
    const { store, identity } = this.#context;
    this.#campaign = store.campaign(identity, (event) => {
      switch (event.kind) {
        case 'leading':
          this.#descend('leadership was begun anew');
          this.#leader = identity;
          this.#token = event.leadership;
          void this.#ascend(event.leadership);
          return;
        case 'following':
          this.#leader = event.leader;
          this.#token = undefined;
          this.#descend('another controller leads');
          return;
        case 'lost':
          this.#leader = undefined;
          this.#token = undefined;
          this.#descend(event.why);
      }
    });
  }

  /** Nothing new is begun; pushes that are under way end with their connections. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#token = undefined;
    this.#descend('it was stopped');
    await this.#campaign?.close();
  }

  async #ascend(token: Token): Promise<void> {
    const { log, runtime } = this.#context;
    let failures = 0;
    while (this.#token === token) {
      const reign = this.#begin(token);
      try {
        await reign.load();
        if (this.#token !== token) {
          reign.end();
          return;
        }
        this.#reign = reign;
        this.#since = runtime.clock.now();
        log.info({ clusters: reign.clusters.size, namespaces: reign.namespaces.size }, 'leading');
        return;
      } catch (error) {
        reign.end();
        log.error({ error: String(error) }, 'the metadata store could not be read');
        // It may be this process alone that cannot: another one is to have its turn.
        if (++failures >= LOADS && this.#token === token) return this.#resign(token);
        await new Promise<void>((resolve) => runtime.timers.after(RETRY_LOAD, resolve));
      }
    }
  }

  #begin(token: Token): Reign {
    return new Reign(
      {
        ...this.#context,
        doubted: (reign, why) => this.#doubt(reign, why),
        unfit: (reign, why) => {
          if (this.#reign !== reign) return;
          this.#context.log.error({ why }, 'this leader does not do its work and gives leadership up');
          this.#descend(why);
          this.#resign(token);
        },
      },
      token,
    );
  }

  /** The campaign goes on behind those who wait; alone, it leads again in a moment, with everything begun anew. */
  #resign(token: Token): void {
    this.#token = undefined;
    this.#leader = undefined;
    token.resign().catch(() => {});
  }

  /** The store decides again who leads; what it holds is read anew. */
  #doubt(reign: Reign, why: string): void {
    if (this.#reign !== reign) return;
    this.#descend(why);
    // A token that the store refuses is refused again: until the campaign says so, it is not asked without pause.
    const { clock, timers } = this.#context.runtime;
    const pause = clock.now() - this.#since < PACE ? RETRY_LOAD : 0;
    timers.after(pause, () => void this.#ascend(reign.leadership));
  }

  #descend(why: string): void {
    const reign = this.#reign;
    this.#reign = undefined;
    if (reign === undefined) return;
    if (this.#stopped) this.#context.log.info({ why }, 'not leading any more');
    else this.#context.log.warn({ why }, 'not leading any more');
    reign.end();
  }
}
