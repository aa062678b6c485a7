/**
 * Leadership where the folder's lock has already decided between processes: the first campaign in line leads, under a
 * new token each time. The lease never runs out.
 */
import type { CampaignEvent, Fence } from '../port.ts';

/** One try of a campaign: a campaign that resigns gets a new one, at the end of the line. */
interface Place {
  readonly campaign: { readonly identity: string; readonly on: (event: CampaignEvent) => void; said: string };
}

export class Line {
  /** Makes a token, or none, the only one under which commits are taken; resolves when that is so. */
  readonly #setFence: (fence: Fence | undefined) => Promise<void>;
  #places: readonly Place[] = [];
  #leading: { readonly place: Place | undefined; readonly fence: Fence } = { place: undefined, fence: '' };
  #settling: Promise<void> | undefined;
  #tokens = 0;

  constructor(setFence: (fence: Fence | undefined) => Promise<void>) {
    this.#setFence = setFence;
  }

  join(identity: string, on: (event: CampaignEvent) => void): { close(): Promise<void> } {
    const campaign = { identity, on, said: '' };
    this.#places = [...this.#places, { campaign }];
    void this.#settle();
    return {
      close: async () => {
        const without = this.#places.filter((place) => place.campaign !== campaign);
        if (without.length === this.#places.length) return;
        this.#places = without;
        await this.#settle();
      },
    };
  }

  /** Nobody leads any more and nobody is told. */
  async clear(): Promise<void> {
    this.#places = [];
    await this.#settle();
  }

  /** The store's thread is gone. */
  lose(why: string): void {
    const places = this.#places;
    this.#places = [];
    for (const { campaign } of places) campaign.on({ kind: 'lost', why });
  }

  #settle(): Promise<void> {
    this.#settling ??= this.#run();
    return this.#settling;
  }

  async #run(): Promise<void> {
    // Never within the call that asked for it.
    await Promise.resolve();
    for (let first = this.#places[0]; first !== this.#leading.place; first = this.#places[0]) {
      const fence = `lock-${++this.#tokens}`;
      await this.#setFence(first === undefined ? undefined : fence);
      this.#leading = { place: first, fence };
    }
    this.#settling = undefined;
    this.#tell();
  }

  #tell(): void {
    const { place: leader, fence } = this.#leading;
    for (const place of this.#places) {
      // Whoever was told just now may have changed the line.
      if (leader === undefined || leader !== this.#leading.place || !this.#places.includes(place)) continue;
      const leads = place === leader;
      const says = leads ? `leading ${fence}` : `following ${leader.campaign.identity}`;
      if (place.campaign.said === says) continue;
      place.campaign.said = says;
      place.campaign.on(
        leads
          ? {
              kind: 'leading',
              leadership: {
                fence,
                heldUntil: () => (this.#places[0] === leader ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY),
                resign: () => this.#resign(leader),
              },
            }
          : { kind: 'following', leader: leader.campaign.identity },
      );
    }
  }

  async #resign(place: Place): Promise<void> {
    if (this.#places.includes(place)) {
      this.#places = [...this.#places.filter((other) => other !== place), { campaign: place.campaign }];
    }
    await this.#settle();
  }
}
