/** Lines that are drawn over by the next ones, where a person watches. */
import type { Io } from './io.ts';

type Watched = Pick<Io, 'err' | 'errIsTerminal' | 'screen'>;

export class Screen {
  readonly #io: Watched;
  #drawn = 0;

  constructor(io: Watched) {
    this.#io = io;
  }

  get redraws(): boolean {
    return this.#io.errIsTerminal;
  }

  /** As many as fit, cut at the right: a line that wraps, or scrolls away, could not be drawn over. */
  draw(lines: readonly string[]): void {
    if (!this.redraws) return;
    const { columns, rows } = this.#io.screen();
    const shown = fitting(lines, columns, rows);
    const up = this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A`;
    this.#io.err(`${up}\r\x1b[J${shown.map((text) => `${text}\n`).join('')}`);
    this.#drawn = shown.length;
  }
}

/** One column stays free, since some terminals wrap at the last one, and one row, for the cursor. */
export function fitting(lines: readonly string[], columns: number, rows: number): readonly string[] {
  const most = Math.max(2, rows - 1);
  const kept = lines.length <= most ? lines : [...lines.slice(0, most - 1), `... and ${lines.length - most + 1} more`];
  return kept.map((line) => [...line].slice(0, Math.max(1, columns - 1)).join(''));
}
