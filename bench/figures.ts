/** Figures of a benchmark as lines of a table, each beside its goal. */

/** By nearest rank; `share` from 0 to 1. NaN of no values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export interface Goal {
  readonly of: 'p50' | 'p99' | 'max';
  /** In the unit of the values. */
  readonly atMost: number;
}

const SHARES = { p50: 0.5, p99: 0.99, max: 1 } as const;

export const COLUMNS = ['min', 'p50', 'p99', 'max'] as const;

/** A line for these values, milliseconds, with what is said of each goal. */
export function line(name: string, values: readonly number[], goals: readonly Goal[] = []): string {
  const cells = [0, 0.5, 0.99, 1].map((share) => milliseconds(quantile(values, share)).padStart(10));
  const said = goals.map(({ of, atMost }) => {
    const met = quantile(values, SHARES[of]) <= atMost;
    return `goal ${of} <= ${milliseconds(atMost)}: ${met ? 'met' : 'not met'}`;
  });
  return `  ${name.padEnd(32)}${cells.join('')}   ${said.join(', ')}`.trimEnd();
}

export const milliseconds = (value: number): string =>
  Number.isNaN(value) ? '-' : value >= 1_000 ? `${(value / 1_000).toFixed(2)} s` : `${value.toFixed(0)} ms`;
