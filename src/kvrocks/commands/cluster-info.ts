import { infoFields, natural } from '../info-text.ts';
import { garbled, type Question, question, type Read, readText, reply } from '../question.ts';
import { parseSpan, type SlotSpan } from './slot.ts';

/** `cluster_state` is not here: it always says ok. */
export interface ClusterInfo {
  /** The topology's version. */
  readonly epoch: number;
  readonly knownNodes: number;
  /** Masters that have slots. */
  readonly size: number;
  readonly slotsAssigned: number;
  /**
   * The last outgoing and incoming job of this process, for ever: a `success` may be long past. Absent before the
   * first, after a restart, and on slaves.
   */
  readonly migrating?: MigratingJob;
  readonly importing?: ImportingJob;
}

export interface MigratingJob {
  readonly span: SlotSpan;
  readonly destination: string;
  /** `unknown`: a word that no server we know uses. */
  readonly state: 'none' | 'start' | 'success' | 'fail' | 'unknown';
}

export interface ImportingJob {
  readonly span: SlotSpan;
  readonly state: 'none' | 'start' | 'success' | 'error' | 'unknown';
}

/** The span of a job whose range could not be read. A node is not called unreadable, or dead, for the sake of that. */
export const UNREADABLE_SPAN: SlotSpan = { first: -1, last: -1 };

/** `CLUSTER INFO`. Refused with `not-initialized` before any topology. A late or repeated copy changes nothing. */
export function clusterInfo(): Question<ClusterInfo> {
  return question(['CLUSTER', 'INFO'], (got) => parseClusterInfo(readText(got) ?? ''));
}

/** Both spellings of the job fields are read: `migrating_slot` and `migrating_slot(s)`. */
export function parseClusterInfo(text: string): Read<ClusterInfo> {
  const fields = infoFields(text);
  const epoch = natural(fields.get('cluster_current_epoch'));
  const knownNodes = natural(fields.get('cluster_known_nodes'));
  const size = natural(fields.get('cluster_size'));
  const slotsAssigned = natural(fields.get('cluster_slots_assigned'));
  if (epoch === undefined || knownNodes === undefined || size === undefined || slotsAssigned === undefined) {
    return garbled('CLUSTER INFO: a field is missing');
  }
  return reply({ epoch, knownNodes, size, slotsAssigned, ...jobs(fields) });
}

/** The job fields alone. */
export function parseJobs(text: string): Pick<ClusterInfo, 'migrating' | 'importing'> {
  return jobs(infoFields(text));
}

function jobs(fields: ReadonlyMap<string, string>): Pick<ClusterInfo, 'migrating' | 'importing'> {
  const out = fields.get('migrating_slot(s)') ?? fields.get('migrating_slot');
  const into = fields.get('importing_slot(s)') ?? fields.get('importing_slot');
  return {
    ...(out === undefined || out === '-1' ? {} : { migrating: migrating(out, fields) }),
    ...(into === undefined || into === '-1' ? {} : { importing: importing(into, fields) }),
  };
}

function migrating(span: string, fields: ReadonlyMap<string, string>): MigratingJob {
  const state = fields.get('migrating_state');
  const known = state === 'none' || state === 'start' || state === 'success' || state === 'fail';
  return {
    span: parseSpan(span) ?? UNREADABLE_SPAN,
    destination: fields.get('destination_node') ?? '',
    state: known ? state : 'unknown',
  };
}

function importing(span: string, fields: ReadonlyMap<string, string>): ImportingJob {
  const state = fields.get('import_state');
  const known = state === 'none' || state === 'start' || state === 'success' || state === 'error';
  return { span: parseSpan(span) ?? UNREADABLE_SPAN, state: known ? state : 'unknown' };
}
