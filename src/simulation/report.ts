/** A run in words. */
import type { Outcome } from './run.ts';

const seconds = (ms: number): string => (ms / 1_000).toFixed(3).padStart(8);

/** The notes around each broken promise, at most `limit` of them. */
export function traceOf(outcome: Outcome, limit: number): string {
  const { notes } = outcome;
  const first = notes.findIndex(({ text }) => text.startsWith('BROKEN'));
  const end = first < 0 ? notes.length : Math.min(notes.length, first + Math.floor(limit / 4));
  const from = Math.max(0, end - limit);
  return notes
    .slice(from, end)
    .map(({ at, text }) => `${seconds(at)} ${text}`)
    .join('\n');
}

const replayCommand = ({ scenario, seed }: Outcome): string =>
  `node src/simulation/main.ts ${scenario === 'random' ? '' : `--scenario ${scenario} `}--seed ${seed} --trace`;

export function failureText(outcome: Outcome, traceLines: number): string {
  const promises = outcome.broken.map(({ at, promise, what }) => `  at ${seconds(at).trim()} s: ${promise}: ${what}`);
  return [
    `seed ${outcome.seed} of ${outcome.scenario} breaks:`,
    ...promises,
    traceOf(outcome, traceLines),
    `again: ${replayCommand(outcome)}`,
  ].join('\n');
}
