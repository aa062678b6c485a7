/** The target's side of a migration: the state behind CLUSTER IMPORT, in memory only. */
import type { Client } from './client.ts';
import { type Core, error, OK } from './core.ts';
import type { Reply } from './reply.ts';
import { rangeText, type SlotRange } from './slot-words.ts';

export type ImportState = 'start' | 'success' | 'error';

export class Importer {
  readonly #core: Core;
  readonly #isSlave: () => boolean;
  /** The present or last successful job; undefined after a failed one. */
  #range: SlotRange | undefined;
  #last: SlotRange | undefined;
  #state: ImportState | undefined;
  #link: Client | undefined;

  constructor(core: Core, isSlave: () => boolean) {
    this.#core = core;
    this.#isSlave = isSlave;
  }

  get running(): SlotRange | undefined {
    return this.#state === 'start' ? this.#range : undefined;
  }

  get infoText(): string {
    if (this.#last === undefined || this.#state === undefined) return '';
    return `importing_slot(s): ${rangeText(this.#last)}\r\nimport_state: ${this.#state}\r\n`;
  }

  start(range: SlotRange, link: Client): Reply {
    if (this.#state === 'start' && this.#range !== undefined) {
      return error(`only one importing job is allowed, current importing: ${rangeText(this.#range)}`);
    }
    this.#core.database.deleteSlots(range.first, range.last);
    this.#range = range;
    this.#last = range;
    this.#state = 'start';
    this.#link = link;
    link.importing = true;
    return OK;
  }

  succeed(range: SlotRange): Reply {
    if (!this.#isPresent(range)) return this.#mismatch(range);
    this.#state = 'success';
    return OK;
  }

  /** Deletes the slots, also after a success. */
  fail(range: SlotRange): Reply {
    if (!this.#isPresent(range)) return this.#mismatch(range);
    this.#fail(range);
    return OK;
  }

  /** The connection that started the import is gone. */
  linkClosed(client: Client): void {
    if (client !== this.#link) return;
    this.#link = undefined;
    if (this.#state === 'start' && this.#range !== undefined) this.#fail(this.#range);
  }

  #fail(range: SlotRange): void {
    if (!this.#isSlave()) this.#core.database.deleteSlots(range.first, range.last);
    this.#state = 'error';
    this.#range = undefined;
  }

  #isPresent(range: SlotRange): boolean {
    return this.#range !== undefined && this.#range.first === range.first && this.#range.last === range.last;
  }

  #mismatch(range: SlotRange): Reply {
    const present = this.#range === undefined ? '-1' : rangeText(this.#range);
    return error(`mismatch slot, importing slot(s): ${present}, but got: ${rangeText(range)}`);
  }
}
