/** A node's whole data as one line of text: the first line of its data file, and what a full copy consists of. */
import { isTexts } from './log-lines.ts';

export interface NodeState {
  /** Of the database's own making. */
  readonly database: unknown;
  readonly scripts: readonly string[];
  readonly histories: readonly { readonly from: number; readonly id: string }[];
}

export function writeState(state: NodeState): string {
  return JSON.stringify({
    scripts: state.scripts,
    histories: state.histories.map(({ from, id }) => [from, id]),
    database: state.database,
  });
}

/** Throws on a text that is none. */
export function readState(text: string): NodeState {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || !('database' in value)) throw new Error('no stored state');
  const scripts = 'scripts' in value ? value.scripts : [];
  const histories: unknown = 'histories' in value ? value.histories : [];
  if (!isTexts(scripts) || !Array.isArray(histories)) throw new Error('a broken stored state');
  return {
    database: value.database,
    scripts,
    histories: histories.map((item: unknown) => {
      if (!Array.isArray(item)) throw new Error('a broken stored state');
      const [from, id]: unknown[] = item;
      if (typeof from !== 'number' || typeof id !== 'string') throw new Error('a broken stored state');
      return { from, id };
    }),
  };
}
