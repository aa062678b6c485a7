/** What is shown once, or with `--watch` again and again. */
import { Failure } from './exit.ts';
import { sleep } from './io.ts';
import type { Session } from './session.ts';
import { watch } from './settings.ts';

/** Milliseconds between two looks. */
const INTERVAL = 2000;
const CLEAR = '\x1b[H\x1b[2J\x1b[3J';

export interface View {
  readonly data: unknown;
  readonly text: string;
}

/** As json with `--watch`, one document a line. */
export async function showOrWatch(session: Session, look: () => Promise<View>): Promise<void> {
  if (session.get(watch)) return watched(session, look);
  const { data, text } = await look();
  session.show(data, text);
}

async function watched(session: Session, look: () => Promise<View>): Promise<void> {
  const { io } = session;
  const show = ({ data, text }: View) => {
    if (session.json) io.out(`${JSON.stringify(data)}\n`);
    else io.out(io.outIsTerminal ? `${CLEAR}${text}` : `${text}\n`);
  };
  // The first look must succeed: a wrong name or address is no reason to wait.
  show(await look());
  for (;;) {
    await sleep(io, INTERVAL);
    if (io.stopped.aborted) return;
    try {
      show(await look());
    } catch (error) {
      if (io.stopped.aborted) return;
      if (!(error instanceof Failure) || error.exit !== 'unavailable') throw error;
      session.note(`${error.message}; trying again`);
    }
  }
}
