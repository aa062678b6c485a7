/**
 * What one probe saw, and how it is read. The numbers are cut straight out of the received text with indexOf, into one
 * record that a probe fills again and again: reading allocates nothing while the node is quiet. Measured on the same
 * replies: splitting into lines and a Map costs several times as much.
 *
 * Where something is rare (jobs, errors) the readers of `commands/` are used; a test holds the two to the same results.
 */
import type { Instant } from '../runtime/runtime.ts';
import { type ImportingJob, type MigratingJob, parseJobs } from './commands/cluster-info.ts';
import { TEN_YEARS_OF_SECONDS } from './commands/info-replication.ts';
import { classifyError, type NodeError } from './errors.ts';

/**
 * `ok`: both answers were read. All others are answers of a living process too; what could be read beside them is in
 * the record (`not-initialized` and `masterdown` leave the replication fields).
 */
export type ProbeKind = 'ok' | 'loading' | 'denied' | 'masterdown' | 'not-initialized' | 'error';

/** Filled again by the next answer: take over what is to be kept. Numbers that were not told are -1. */
export class ProbeRecord {
  kind: ProbeKind = 'error';
  /** The error behind a kind other than `ok`; a node that is loading may have none. */
  error: NodeError | undefined = undefined;
  epoch = -1;
  knownNodes = -1;
  size = -1;
  slotsAssigned = -1;
  migrating: MigratingJob | undefined = undefined;
  importing: ImportingJob | undefined = undefined;
  role: 'master' | 'slave' | 'none' = 'none';
  /** Of a slave its own, `slave_repl_offset`. */
  sequence = -1;
  /** `none` for a master. */
  link: 'up' | 'down' | 'none' = 'none';
  syncInProgress = false;
  /** -1 also when the master was never heard. */
  secondsSinceIo = -1;
  masterHost = '';
  masterPort = -1;
  askedAt: Instant = 0;
  answeredAt: Instant = 0;
}

/** Reads CLUSTER INFO from `text`, between `from` and `to`. Says false, and leaves -1, if a field is missing. */
export function readClusterInfo(text: string, from: number, to: number, into: ProbeRecord): boolean {
  // In the order in which servers write them, so that each search begins where the last one ended.
  let at = fieldAt(text, '\ncluster_slots_assigned:', from, from, to);
  into.slotsAssigned = naturalAt(text, at, to);
  at = fieldAt(text, '\ncluster_known_nodes:', at, from, to);
  into.knownNodes = naturalAt(text, at, to);
  at = fieldAt(text, '\ncluster_size:', at, from, to);
  into.size = naturalAt(text, at, to);
  at = fieldAt(text, '\ncluster_current_epoch:', at, from, to);
  into.epoch = naturalAt(text, at, to);
  // `migrating_slot`, `importing_slot`: most nodes never had either.
  const job = text.indexOf('ing_slot', from);
  if (job < 0 || job >= to) {
    into.migrating = undefined;
    into.importing = undefined;
  } else {
    const jobs = parseJobs(text.slice(from, to));
    into.migrating = jobs.migrating;
    into.importing = jobs.importing;
  }
  return into.slotsAssigned >= 0 && into.knownNodes >= 0 && into.size >= 0 && into.epoch >= 0;
}

/**
 * Reads INFO replication from `text`, between `from` and `to`. `loading`: no role is told. False, and role `none`: it
 * makes no sense.
 */
export function readReplication(text: string, from: number, to: number, into: ProbeRecord): boolean | 'loading' {
  const role = fieldAt(text, '\nrole:', from, from, to);
  if (role < 0 || text.charCodeAt(role) <= BLANK) {
    forgetReplication(into);
    return 'loading';
  }
  if (text.startsWith('master', role) && text.charCodeAt(role + 6) <= BLANK)
    return readMaster(text, role, from, to, into);
  if (text.startsWith('slave', role) && text.charCodeAt(role + 5) <= BLANK)
    return readSlave(text, role, from, to, into);
  forgetReplication(into);
  return false;
}

function readMaster(text: string, role: number, from: number, to: number, into: ProbeRecord): boolean {
  const sequence = naturalAt(text, fieldAt(text, '\nmaster_repl_offset:', role, from, to), to);
  if (sequence < 0) {
    forgetReplication(into);
    return false;
  }
  into.role = 'master';
  into.sequence = sequence;
  into.link = 'none';
  into.syncInProgress = false;
  into.secondsSinceIo = -1;
  into.masterHost = '';
  into.masterPort = -1;
  return true;
}

function readSlave(text: string, role: number, from: number, to: number, into: ProbeRecord): boolean {
  const host = fieldAt(text, '\nmaster_host:', role, from, to);
  let at = fieldAt(text, '\nmaster_port:', host, from, to);
  const port = naturalAt(text, at, to);
  at = fieldAt(text, '\nmaster_link_status:', at, from, to);
  const up = at >= 0 && text.startsWith('up', at) && text.charCodeAt(at + 2) <= BLANK;
  const down = at >= 0 && text.startsWith('down', at) && text.charCodeAt(at + 4) <= BLANK;
  at = fieldAt(text, '\nmaster_sync_in_progress:', at, from, to);
  const syncing = naturalAt(text, at, to) === 1;
  at = fieldAt(text, '\nmaster_last_io_seconds_ago:', at, from, to);
  const silent = naturalAt(text, at, to);
  at = fieldAt(text, '\nslave_repl_offset:', at, from, to);
  const sequence = naturalAt(text, at, to);
  if (host < 0 || port < 0 || silent < 0 || sequence < 0 || (!up && !down)) {
    forgetReplication(into);
    return false;
  }
  into.role = 'slave';
  into.sequence = sequence;
  into.link = up ? 'up' : 'down';
  into.syncInProgress = syncing;
  into.secondsSinceIo = silent > TEN_YEARS_OF_SECONDS ? -1 : silent;
  into.masterPort = port;
  const known = into.masterHost;
  if (known === '' || !text.startsWith(known, host) || text.charCodeAt(host + known.length) > BLANK) {
    const end = text.indexOf('\n', host);
    into.masterHost = text.slice(host, end < 0 || end > to ? to : end).trim();
  }
  return true;
}

/** An error in place of CLUSTER INFO or INFO replication. */
export function readProbeError(text: string, into: ProbeRecord): ProbeKind {
  const error = classifyError(text);
  into.error = error;
  switch (error.kind) {
    case 'loading':
    case 'denied':
    case 'masterdown':
    case 'not-initialized':
      return error.kind;
    default:
      return 'error';
  }
}

export function forgetClusterInfo(into: ProbeRecord): void {
  into.epoch = -1;
  into.knownNodes = -1;
  into.size = -1;
  into.slotsAssigned = -1;
  into.migrating = undefined;
  into.importing = undefined;
}

export function forgetReplication(into: ProbeRecord): void {
  into.role = 'none';
  into.sequence = -1;
  into.link = 'none';
  into.syncInProgress = false;
  into.secondsSinceIo = -1;
  into.masterHost = '';
  into.masterPort = -1;
}

/** Characters up to this one, line ends among them, end a word. */
const BLANK = 0x20;

/**
 * Where the value behind `name` begins, or -1. Looked for from `near` on, and if it is not there from `from` on: lines
 * in another order are slower, not wrong.
 */
function fieldAt(text: string, name: string, near: number, from: number, to: number): number {
  let at = text.indexOf(name, Math.max(near, from));
  if (at < 0 || at >= to) {
    if (near <= from) return -1;
    at = text.indexOf(name, from);
    if (at < 0 || at >= to) return -1;
  }
  return at + name.length;
}

/** The whole number at `at`, ended by a blank or a line end; -1 if there is none, or one too large to be exact. */
function naturalAt(text: string, at: number, to: number): number {
  if (at < 0) return -1;
  let value = 0;
  let i = at;
  for (; i < to; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  if (i === at || value > Number.MAX_SAFE_INTEGER) return -1;
  return i >= to || text.charCodeAt(i) <= BLANK ? value : -1;
}
