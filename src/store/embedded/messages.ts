/** What the store's two threads say to each other. */
import type { Committed, Entry, Fence, Revision, Write } from '../port.ts';
import type { OpenRefusal } from './open-error.ts';

export interface Settings {
  readonly dir: string;
  /** Said to a second process that wants the folder. */
  readonly holder: { readonly pid: number; readonly address: string; readonly since: string };
  /** Commits whose keys all start with one of these are given up first when the disk is full. */
  readonly history: readonly string[];
  /** Bytes kept free for the other commits. */
  readonly reserve: number;
}

export interface CommitRequest {
  readonly kind: 'commit';
  readonly id: number;
  readonly writes: readonly Write[];
  readonly fence: Fence;
}

export type Request =
  | { readonly kind: 'read'; readonly id: number; readonly keys: readonly string[] }
  | { readonly kind: 'list'; readonly id: number; readonly prefix: string }
  | CommitRequest
  /** From here on only commits under this token are taken. */
  | { readonly kind: 'fence'; readonly id: number; readonly fence: Fence | undefined }
  | { readonly kind: 'close'; readonly id: number };

export type Reply =
  | { readonly kind: 'read'; readonly id: number; readonly entries: readonly (Entry | undefined)[] }
  | { readonly kind: 'list'; readonly id: number; readonly entries: readonly Entry[]; readonly revision: Revision }
  /** `idle`: the deletes that found nothing. */
  | {
      readonly kind: 'commit';
      readonly id: number;
      readonly outcome: Committed;
      readonly idle: readonly string[];
    }
  | { readonly kind: 'done'; readonly id: number }
  /** A read that could not be answered. */
  | { readonly kind: 'unavailable'; readonly id: number; readonly why: string };

export type FromWorker =
  | { readonly kind: 'opened'; readonly revision: Revision }
  | { readonly kind: 'refused'; readonly code: OpenRefusal; readonly message: string }
  /** In the order of the commits among them. */
  | { readonly kind: 'replies'; readonly replies: readonly Reply[] }
  /** The disk failed in the middle of a commit and the file was opened anew, at whatever it holds now. */
  | { readonly kind: 'reopened'; readonly revision: Revision; readonly why: string };
