import { classifyError, type NodeError } from '../errors.ts';
import { garbled, type Question, type Read, reply } from '../question.ts';
import { encodeCommand, type Reply } from '../resp.ts';
import { keyInSlot } from './slot.ts';

/**
 * Who serves a slot, as this node sees it. `served`: this node does (a value or none; the value is not kept).
 * `moved`: to whom. `refused`: neither can be told, by `error` (clusterdown, try-again, loading, masterdown, denied...).
 */
export type SlotServer =
  | { readonly kind: 'served' }
  | { readonly kind: 'moved'; readonly host: string; readonly port: number }
  | { readonly kind: 'refused'; readonly error: NodeError };

/** `GET` of a key of that slot, to learn who serves it. A late or repeated copy changes nothing. */
export function readKeyOfSlot(slot: number): Question<SlotServer> {
  return readKey(keyInSlot(slot));
}

/** The same for a key by name. */
export function readKey(key: string): Question<SlotServer> {
  return { bytes: encodeCommand(['GET', key]), replies: 1, read: ([got]) => readServer(got) };
}

function readServer(got: Reply | undefined): Read<SlotServer> {
  if (got === undefined || got.kind === 'array') return garbled('GET: no value');
  if (got.kind !== 'error') return reply({ kind: 'served' });
  // A key of another type is a key that is served.
  if (got.text.includes('WRONGTYPE')) return reply({ kind: 'served' });
  const error = classifyError(got.text);
  if (error.kind === 'moved') return reply({ kind: 'moved', host: error.host, port: error.port });
  return reply({ kind: 'refused', error });
}
