/** What a node means by an error, told from its text in one place. Texts are those of Kvrocks 2.9 to 2.14. */
import { parseAddress } from './address.ts';

/**
 * Every error is the answer of a living process. `text` is the node's own, with its prefix; never parse it elsewhere.
 */
export type NodeError = { readonly text: string } & (
  | { readonly kind: 'moved'; readonly slot: number; readonly host: string; readonly port: number }
  | {
      readonly kind: /** Restoring in a full sync: nothing but INFO and AUTH is answered, SETNODES neither. */
        | 'loading'
        /** A password is missing or wrong. */
        | 'denied'
        /** A replica with `slave-serve-stale-data no` whose link is down: it cannot be told anything but CONFIG SET. */
        | 'masterdown'
        /** A slot that nobody serves, as far as this node knows. */
        | 'clusterdown'
        /** A node that never got a topology, or was reset. */
        | 'not-initialized'
        /** `cluster-enabled no`: it can never become a node of a cluster without a restart. */
        | 'not-a-cluster'
        /** The command, or its sub-command, is not there: this server is too old. A malformed SETNODEID looks the same. */
        | 'usage'
        /** A migration or import is under way. */
        | 'busy'
        /** SETNODES with a version below the node's own. */
        | 'old-version'
        /** A write in the forbidden phase at the end of a move. */
        | 'try-again'
        | 'read-only'
        /** EXEC threw the transaction away because one of its commands was refused. */
        | 'aborted'
        | 'other';
    }
);

const BUSY = [
  'ERR There is already a migrating job',
  'ERR only one importing job is allowed',
  "ERR Can't reset cluster while migrating slot",
  "ERR Can't reset cluster while importing slot",
];

export function classifyError(text: string): NodeError {
  if (text.startsWith('MOVED ')) return moved(text);
  if (text.startsWith('LOADING')) return { kind: 'loading', text };
  if (text.startsWith('NOAUTH') || text.startsWith('WRONGPASS') || text === 'ERR Invalid password') {
    return { kind: 'denied', text };
  }
  if (text.startsWith('MASTERDOWN')) return { kind: 'masterdown', text };
  if (text.startsWith('CLUSTERDOWN')) {
    return { kind: text.includes('not initialized') ? 'not-initialized' : 'clusterdown', text };
  }
  if (text.startsWith('TRYAGAIN')) return { kind: 'try-again', text };
  if (text.startsWith('READONLY')) return { kind: 'read-only', text };
  if (text.startsWith('EXECABORT')) return { kind: 'aborted', text };
  if (text === 'ERR Cluster mode is not enabled') return { kind: 'not-a-cluster', text };
  if (text === 'ERR Invalid cluster version') return { kind: 'old-version', text };
  if (/^ERR (CLUSTERX? command, |unknown command|Unknown subcommand)/i.test(text)) return { kind: 'usage', text };
  if (BUSY.some((start) => text.startsWith(start))) return { kind: 'busy', text };
  return { kind: 'other', text };
}

function moved(text: string): NodeError {
  const [, slot, address, rest] = text.split(' ');
  const number = Number(slot);
  const parsed = parseAddress(address ?? '');
  if (rest !== undefined || parsed === undefined || slot === '' || !Number.isInteger(number)) {
    return { kind: 'other', text };
  }
  return { kind: 'moved', text, slot: number, host: parsed.host, port: parsed.port };
}
