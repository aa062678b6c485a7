export interface Scored {
  readonly member: string;
  readonly score: number;
}

/** By score, then by the bytes of the member. */
function before(a: Scored, score: number, member: string): boolean {
  return a.score < score || (a.score === score && a.member < member);
}

/** Members with scores, kept in order; never NaN. A change moves part of an array: quick up to 100,000 members. */
export class SortedSet {
  readonly #scores = new Map<string, number>();
  readonly #order: Scored[] = [];

  static of(items: Iterable<Scored>): SortedSet {
    const made = new SortedSet();
    for (const { member, score } of items) made.set(member, score);
    return made;
  }

  get size(): number {
    return this.#order.length;
  }

  /** All members in order; not to be changed, and valid until the next change only. */
  get items(): readonly Scored[] {
    return this.#order;
  }

  score(member: string): number | undefined {
    return this.#scores.get(member);
  }

  /** Tells whether the member is new, has another score now, or the same. */
  set(member: string, score: number): 'new' | 'changed' | 'same' {
    const old = this.#scores.get(member);
    if (old === score) return 'same';
    if (old !== undefined) this.#order.splice(this.#position(old, member), 1);
    this.#scores.set(member, score);
    const at = this.#position(score, member);
    if (at === this.#order.length) this.#order.push({ member, score });
    else this.#order.splice(at, 0, { member, score });
    return old === undefined ? 'new' : 'changed';
  }

  delete(member: string): boolean {
    const old = this.#scores.get(member);
    if (old === undefined) return false;
    this.#order.splice(this.#position(old, member), 1);
    this.#scores.delete(member);
    return true;
  }

  /** The position from 0 in order. */
  rank(member: string): number | undefined {
    const score = this.#scores.get(member);
    return score === undefined ? undefined : this.#position(score, member);
  }

  #position(score: number, member: string): number {
    let low = 0;
    let high = this.#order.length;
    const last = this.#order[high - 1];
    if (last !== undefined && before(last, score, member)) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      const item = this.#order[middle];
      if (item !== undefined && before(item, score, member)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
