/** A node's whole data as one line of text: the first line of its data file, and what a full copy consists of. */
import { isTexts } from './log-lines.ts';

export interface NodeState {
  /** Of the database's own making. */
  readonly database: unknown;
  readonly scripts: readonly string[];
  /** The id of the last replication history; empty without `use-rsid-psync`. */
  readonly history: string;
}

export function writeState(state: NodeState): string {
  return JSON.stringify({
    scripts: state.scripts,
    history: state.history,
    database: state.database,
  });
}

/** Throws on a text that is none. */
export function readState(text: string): NodeState {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || !('database' in value)) throw new Error('no stored state');
  const scripts = 'scripts' in value ? value.scripts : [];
  const history = 'history' in value ? value.history : '';
  if (!isTexts(scripts) || typeof history !== 'string') throw new Error('a broken stored state');
  return { database: value.database, scripts, history };
}
