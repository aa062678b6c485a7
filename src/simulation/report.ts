/** Runs in words. */
import type { Outcome } from './run.ts';

const seconds = (ms: number): string => (ms / 1_000).toFixed(3).padStart(8);

/** What happened up to the first broken promise, the last `limit` lines of it. */
export function traceOf(outcome: Outcome, limit: number): string {
  const { notes } = outcome;
  const first = notes.findIndex(({ text }) => text.startsWith('BROKEN'));
  const end = first < 0 ? notes.length : first + 1;
  return notes
    .slice(Math.max(0, end - limit), end)
    .map(({ at, text }) => `${seconds(at)} ${text}`)
    .join('\n');
}

/** `how`: what chose the scenario on the command line. */
function replayCommand({ seed, skipped }: Outcome, how: readonly string[]): string {
  const skip = skipped.length === 0 ? [] : ['--skip', skipped.join(',')];
  return ['node src/simulation/main.ts', ...how, '--seed', String(seed), ...skip, '--trace'].join(' ');
}

export function failureText(outcome: Outcome, traceLines: number, how: readonly string[] = chosenBy(outcome)): string {
  const promises = outcome.broken.map(({ at, promise, what }) => `  at ${seconds(at).trim()} s: ${promise}: ${what}`);
  return [
    `seed ${outcome.seed} of ${outcome.scenario} breaks:`,
    ...promises,
    ...(traceLines > 0 ? [traceOf(outcome, traceLines)] : []),
    `again: ${replayCommand(outcome, how)}`,
  ].join('\n');
}

const chosenBy = ({ scenario }: Outcome): readonly string[] => (scenario === 'random' ? [] : ['--scenario', scenario]);

export interface Totals {
  readonly runs: number;
  readonly simulated: number;
  /** Milliseconds of real time that the runs took, one after the other. */
  readonly real: number;
  readonly events: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly moves: number;
  readonly counts: ReadonlyMap<string, number>;
  /** Milliseconds to converge after the last fault, sorted; of those runs that needed nobody. */
  readonly times: readonly number[];
}

export function totalsOf(outcomes: readonly Outcome[]): Totals {
  const counts = new Map<string, number>();
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + of(outcome), 0);
  for (const { counts: own } of outcomes)
    for (const [kind, count] of own) counts.set(kind, (counts.get(kind) ?? 0) + count);
  return {
    runs: outcomes.length,
    simulated: sum(({ simulated }) => simulated),
    real: sum(({ real }) => real),
    events: sum(({ events }) => events),
    acknowledged: sum(({ acknowledged }) => acknowledged),
    lost: sum(({ lost }) => lost),
    moves: sum(({ moves }) => moves),
    counts,
    times: outcomes.flatMap(({ convergedAfter }) => convergedAfter ?? []).sort((a, b) => a - b),
  };
}

/** `elapsed`: real milliseconds from the first run to the last, also where several went side by side. */
export function summary(totals: Totals, elapsed: number): string {
  const { runs, simulated, real, events, times, counts } = totals;
  const at = (share: number) => Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0);
  const group = (name: string) => {
    const own = [...counts].filter(([key]) => key.startsWith(`${name}/`)).sort(([a], [b]) => (a < b ? -1 : 1));
    const total = own.reduce((sum, [, count]) => sum + count, 0);
    const kinds = own.map(([key, count]) => `${key.slice(name.length + 1)} ${count}`).join(', ');
    return kinds === '' ? '0' : `${total}: ${kinds}`;
  };
  return [
    `${runs} runs, ${(simulated / 3_600_000).toFixed(2)} simulated hours in ${(elapsed / 1_000).toFixed(1)} s; ` +
      `${Math.round(simulated / real)} times real time on one core, ${((1_000 * real) / events).toFixed(1)} µs an event`,
    `faults ${group('fault')}`,
    `promotions ${group('promotion')}`,
    `operator ${group('operator')}`,
    `${totals.acknowledged} writes acknowledged, ${totals.lost} lost as an unplanned failover permits; ${totals.moves} moves ended`,
    `converged after the last fault: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`,
    `${runs - times.length} runs needed an operator; found then: ${group('finding')}`,
  ].join('\n');
}
