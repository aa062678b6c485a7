/**
 * The metadata store as the product sees it: a flat, ordered map of text keys to text values, each with a revision,
 * changed by fenced commits over several keys. One folder per engine; `contract.ts` is the suite every engine passes.
 *
 * Keys are paths such as `/kvrocks/metadata/<ns>/cluster/<name>`, not empty. Values are UTF-8 text, JSON in practice.
 * "Key order" is the order of the UTF-8 bytes, as in etcd and SQLite; `compareKeys` in `keys.ts` is that order.
 */

/** Rises with every commit of the whole store; a key's revision is that of the commit that last wrote it. 0: absent. */
export type Revision = number;

export interface Entry {
  readonly key: string;
  readonly value: string;
  readonly revision: Revision;
}

export interface Write {
  readonly key: string;
  /** The revision the key must have; 0 when it must be absent; undefined when anything goes (history, evidence). */
  readonly expected: Revision | undefined;
  /** `null` deletes. Deleting what is absent is no change: no watch hears of it. */
  readonly value: string | null;
}

/** Proof of leadership; a commit under a token that no longer leads changes nothing. */
export type Fence = string;

export type Committed =
  | { readonly kind: 'committed'; readonly revision: Revision }
  /** A key was not at its expected revision; `keys` names them. Nothing was written. */
  | { readonly kind: 'conflict'; readonly keys: readonly string[] }
  /** The token does not lead (any more). Nothing was written. */
  | { readonly kind: 'fenced' }
  /** Certainly not written: refused by the engine, a full disk, a closed store. `why` is for people. */
  | { readonly kind: 'failed'; readonly why: string }
  /** The answer was lost: it may have been written. Read the keys to find out. */
  | { readonly kind: 'unknown'; readonly why: string };

export type Change =
  | { readonly kind: 'put'; readonly entry: Entry }
  | { readonly kind: 'delete'; readonly key: string; readonly revision: Revision };

export type WatchEvent =
  /** All changes of one commit under the watched prefix, in key order; commits without any are passed over. */
  | { readonly kind: 'changes'; readonly revision: Revision; readonly changes: readonly Change[] }
  /** The history from `from` on is gone (compacted): list again and watch from there. The watch has ended. */
  | { readonly kind: 'compacted' }
  /** The store cannot be reached. The watch has ended. */
  | { readonly kind: 'lost'; readonly why: string };

export interface Watch {
  close(): void;
}

export interface Leadership {
  readonly fence: Fence;
  /** Monotonic instant (runtime clock) until which the lease surely holds; Infinity for the embedded store's lock. */
  heldUntil(): number;
  /** Gives leadership up; resolves when the store knows. The campaign goes on, behind those that already wait. */
  resign(): Promise<void>;
}

/**
 * Said when it changes. `lost`: does not lead, or cannot tell; the campaign goes on by itself, and `leading` (with a new
 * fence) or `following` comes when it can tell again. A leader that resigned hears no `lost`.
 */
export type CampaignEvent =
  | { readonly kind: 'leading'; readonly leadership: Leadership }
  | { readonly kind: 'following'; readonly leader: string | undefined }
  | { readonly kind: 'lost'; readonly why: string };

/** Reads reject with `StoreUnavailable` when the store cannot be reached; they never answer stale values. */
export interface Store {
  read(keys: readonly string[]): Promise<readonly (Entry | undefined)[]>;
  /** All entries whose key starts with `prefix`, in key order, and the revision they were read at. */
  list(prefix: string): Promise<{ readonly entries: readonly Entry[]; readonly revision: Revision }>;
  /** Changes under `prefix` made after revision `from`, in order, each once. `on` is never called before this returns. */
  watch(prefix: string, from: Revision, on: (event: WatchEvent) => void): Watch;
  /**
   * All writes or none. Never rejects: every outcome is a value. Writes name each key at most once; a commit without
   * writes only proves that `fence` leads.
   */
  commit(writes: readonly Write[], fence: Fence): Promise<Committed>;
  /** Competes for leadership as `identity` until closed, which resigns and ends the events. */
  campaign(identity: string, on: (event: CampaignEvent) => void): { close(): Promise<void> };
  /** Ends watches and campaigns without further events; afterwards reads reject and commits answer `failed`. */
  close(): Promise<void>;
}

export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}
