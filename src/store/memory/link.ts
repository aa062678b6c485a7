/** One client's way to the model store: what is sent arrives in order, late, or not at all, as the faults say. */
import type { Cancel, Duration, Runtime, Timers } from '../../runtime/runtime.ts';

export type Reach =
  | 'up'
  /** Connections are refused, those that were open are cut: both sides know at once. */
  | 'refused'
  /** Nothing arrives and nobody says so: questions end by their timeout. */
  | 'silent';

export type Errand = 'read' | 'commit' | 'session';

/** What a message is about; `news` comes unasked. */
export type About = Errand | 'news';

/** May be changed at any time; read at each use. */
export interface LinkFaults {
  /**
   * Milliseconds that one message takes; asked once for each. Messages of one direction keep their order, but for those
   * of a session, which has a stream of its own: a slow commit does not end leadership.
   */
  latency: (about: About, way: 'there' | 'back') => Duration;
  /**
   * Asked when the server has done an errand: `cut` loses the answer and the client knows at once that it is lost,
   * `silence` lets it wait for its timeout. What was committed stays committed.
   */
  loseAnswer: (errand: Errand) => 'cut' | 'silence' | undefined;
}

export type Answer<A> =
  | { readonly kind: 'answer'; readonly value: A }
  /** Never sent. */
  | { readonly kind: 'refused' }
  /** Sent; whether it arrived is not known. */
  | { readonly kind: 'lost'; readonly why: string };

/** Messages of one direction, in order even where their timers are not. */
class Lane {
  readonly #runtime: Runtime;
  readonly #waiting: (() => void)[] = [];
  #lastDue = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  send(latency: Duration, deliver: () => void): void {
    const now = this.#runtime.clock.now();
    this.#lastDue = Math.max(this.#lastDue, now + latency);
    this.#waiting.push(deliver);
    this.#runtime.timers.after(this.#lastDue - now, () => this.#waiting.shift()?.());
  }
}

export class Link {
  readonly faults: LinkFaults = { latency: () => 1, loseAnswer: () => undefined };
  readonly #timers: Timers;
  readonly #timeout: Duration;
  readonly #there: Lane;
  readonly #back: Lane;
  readonly #sessionThere: Lane;
  readonly #sessionBack: Lane;
  readonly #watchers = new Set<(reach: Reach) => void>();
  #reach: Reach = 'up';
  #dead = false;

  /** `timeout`: how long an answer is waited for. */
  constructor(client: Runtime, server: Runtime, timeout: Duration) {
    this.#timers = client.timers;
    this.#timeout = timeout;
    this.#there = new Lane(server);
    this.#back = new Lane(client);
    this.#sessionThere = new Lane(server);
    this.#sessionBack = new Lane(client);
  }

  get reach(): Reach {
    return this.#reach;
  }

  set reach(reach: Reach) {
    if (reach === this.#reach) return;
    this.#reach = reach;
    for (const watcher of this.#watchers) watcher(reach);
  }

  onReach(watcher: (reach: Reach) => void): Cancel {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** The client's process is gone: what it sent still arrives, and nothing is ever delivered to it. */
  kill(): void {
    this.#dead = true;
    this.#watchers.clear();
  }

  ask<A>(errand: Errand, serve: () => A): Promise<Answer<A>> {
    return new Promise((resolve) => {
      if (this.#dead) return;
      if (this.#reach === 'refused') {
        this.#deliver(errand, () => resolve({ kind: 'refused' }));
        return;
      }
      const cancel = this.#timers.after(this.#timeout, () => {
        if (!this.#dead) resolve({ kind: 'lost', why: `no answer within ${this.#timeout} ms` });
      });
      const settle = (answer: Answer<A>) => {
        cancel();
        resolve(answer);
      };
      const cut = () => settle({ kind: 'lost', why: 'the connection was cut before the answer' });
      const there = errand === 'session' ? this.#sessionThere : this.#there;
      there.send(this.faults.latency(errand, 'there'), () => {
        if (this.#reach === 'silent') return;
        if (this.#reach === 'refused') {
          this.#deliver(errand, cut);
          return;
        }
        const value = serve();
        const loss = this.faults.loseAnswer(errand);
        if (loss === 'cut') this.#deliver(errand, cut);
        if (loss !== undefined) return;
        this.#deliver(errand, () => {
          if (this.#reach === 'up') settle({ kind: 'answer', value });
          if (this.#reach === 'refused') cut();
        });
      });
    });
  }

  /** From the server to the client, unasked; dropped when the client cannot be reached on arrival. */
  tell(about: 'session' | 'news', deliver: () => void): void {
    this.#deliver(about, () => {
      if (this.#reach === 'up') deliver();
    });
  }

  #deliver(about: About, deliver: () => void): void {
    const back = about === 'session' ? this.#sessionBack : this.#back;
    back.send(this.faults.latency(about, 'back'), () => {
      if (!this.#dead) deliver();
    });
  }

  /** Calls when the link has been silent for one timeout, unless it came back or was cut before. */
  afterSilence(call: () => void): Cancel {
    return this.#timers.after(this.#timeout, () => {
      if (!this.#dead && this.#reach === 'silent') call();
    });
  }
}
