/** A client's campaign at the model store: one session at a time, kept alive, given up when it cannot be. */
import type { Cancel, Instant, Runtime } from '../../runtime/runtime.ts';
import type { CampaignEvent, Fence, Leadership } from '../port.ts';
import type { Link } from './link.ts';
import type { MemoryServer, Standing } from './server.ts';

export class MemoryCampaign {
  readonly #server: MemoryServer;
  readonly #link: Link;
  readonly #runtime: Runtime;
  readonly #identity: string;
  readonly #newId: () => Fence;
  readonly #on: (event: CampaignEvent) => void;
  readonly #unlisten: Cancel;
  #id: Fence;
  /** By this client's clock, from the moment the last answered hello was sent. */
  #heldUntil: Instant;
  #said = '';
  #open = true;
  #renewal: Cancel = () => {};
  #expiry: Cancel = () => {};

  constructor(
    server: MemoryServer,
    link: Link,
    runtime: Runtime,
    identity: string,
    newId: () => Fence,
    on: (event: CampaignEvent) => void,
  ) {
    this.#server = server;
    this.#link = link;
    this.#runtime = runtime;
    this.#identity = identity;
    this.#newId = newId;
    this.#on = on;
    this.#id = newId();
    this.#heldUntil = runtime.clock.now();
    this.#unlisten = server.onElection(() => {
      const id = this.#id;
      const standing = server.standing(id);
      if (standing.kind === 'gone') return;
      link.tell('session', () => {
        // Before the first answer there is no lease to judge it by; that answer is on its way or lost.
        if (runtime.clock.now() < this.#heldUntil) this.#hear(id, standing);
      });
    });
    this.#hello();
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.stop();
    await this.#leave(this.#id, this.#heldUntil);
  }

  /** Ends without a word to the server, as a killed process does. */
  stop(): void {
    this.#open = false;
    this.#unlisten();
    this.#renewal();
    this.#expiry();
  }

  #hello(): void {
    if (!this.#open) return;
    this.#renewal();
    const id = this.#id;
    const sent = this.#runtime.clock.now();
    void this.#link
      .ask('session', () => this.#server.hello(id, this.#identity))
      .then((answer) => {
        if (!this.#open || id !== this.#id) return;
        if (answer.kind === 'answer') {
          this.#held(sent + this.#server.lease);
          this.#hear(id, answer.value);
        } else if (this.#runtime.clock.now() >= this.#heldUntil) {
          this.#lose('the store does not answer');
        }
        if (id !== this.#id) return;
        const due = sent + this.#server.lease / 3;
        const pause = Math.max(due - this.#runtime.clock.now(), answer.kind === 'refused' ? this.#retry() : 0);
        this.#renewal = this.#runtime.timers.after(pause, () => this.#hello());
      });
  }

  #held(until: Instant): void {
    this.#heldUntil = until;
    this.#expiry();
    const left = Math.max(0, until - this.#runtime.clock.now());
    this.#expiry = this.#runtime.timers.after(left, () => {
      this.#renew('the lease ran out before the store answered');
    });
  }

  #hear(id: Fence, standing: Standing): void {
    if (!this.#open || id !== this.#id) return;
    // After a stall even a good answer is about the past.
    if (standing.kind === 'gone' || this.#runtime.clock.now() >= this.#heldUntil) {
      this.#renew('the lease ran out');
    } else if (standing.kind === 'leading') {
      this.#say(`leading ${id}`, { kind: 'leading', leadership: this.#leadership(id) });
    } else {
      this.#say(`following ${standing.leader}`, { kind: 'following', leader: standing.leader });
    }
  }

  #leadership(id: Fence): Leadership {
    return {
      fence: id,
      heldUntil: () => (this.#open && id === this.#id ? this.#heldUntil : Number.NEGATIVE_INFINITY),
      resign: async () => {
        if (!this.#open || id !== this.#id) return;
        const until = this.#heldUntil;
        this.#begin();
        await this.#leave(id, until);
      },
    };
  }

  /** A session under a new id: an old one's fence must never lead again. */
  #begin(): void {
    if (!this.#open) return;
    this.#id = this.#newId();
    this.#expiry();
    this.#heldUntil = this.#runtime.clock.now();
    // The others who wait come first, also when the old session is only now being left.
    this.#renewal();
    this.#renewal = this.#runtime.timers.after(this.#retry(), () => this.#hello());
  }

  /** Begins anew after a lease that ran out here; the server may still count on it. */
  #renew(why: string): void {
    const old = this.#id;
    this.#lose(why);
    this.#begin();
    void this.#link.ask('session', () => this.#server.leave(old));
  }

  #lose(why: string): void {
    this.#say('lost', { kind: 'lost', why });
  }

  #say(what: string, event: CampaignEvent): void {
    if (!this.#open || what === this.#said) return;
    this.#said = what;
    this.#on(event);
  }

  #retry(): number {
    return this.#server.lease / 30;
  }

  /** Until the server knows, or the lease has run out by itself. */
  async #leave(id: Fence, until: Instant): Promise<void> {
    for (;;) {
      const answer = await this.#link.ask('session', () => this.#server.leave(id));
      if (answer.kind === 'answer' || this.#runtime.clock.now() >= until) return;
      await new Promise<void>((resolve) => this.#runtime.timers.after(this.#retry(), resolve));
    }
  }
}
