/** Why the embedded store did not open; nothing in the folder was changed then. */
export type OpenRefusal =
  /** Another process, or this one already, has the folder. */
  | 'locked'
  /** The folder or a file in it cannot be made, written or locked. */
  | 'unwritable'
  /** The database file is damaged, or is something else. */
  | 'corrupt'
  /** Written by a later release. */
  | 'newer-format';

/** The message is one sentence for people: what is wrong, and the way out. */
export class StoreOpenError extends Error {
  override readonly name = 'StoreOpenError';
  readonly code: OpenRefusal;

  constructor(code: OpenRefusal, message: string) {
    super(message);
    this.code = code;
  }
}
