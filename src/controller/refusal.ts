/**
 * Every way in which the controller says no: one table of codes, thrown as `Refusal`, answered over HTTP as
 * `{"error": {message, code, detail?}}`. A message names what was wrong, where, and what is allowed.
 */

export const refusals = {
  already_exists: { status: 409, meaning: 'an entry of that name, or that node, exists already' },
  not_found: { status: 404, meaning: 'the namespace, cluster, shard or node does not exist' },
  invalid: { status: 400, meaning: 'the request is malformed; the message names the member and what is allowed' },
  not_empty: { status: 409, meaning: 'the namespace still holds clusters' },
  owns_slots: { status: 409, meaning: 'the shard owns slots; move them first' },
  is_master: { status: 409, meaning: 'the node is its shard’s master; fail over first' },
  no_eligible_replica: { status: 409, meaning: 'no replica may be promoted; the detail says why each may not' },
  operation_running: { status: 409, meaning: 'an operation or a pause stands in the way' },
  changed: { status: 409, meaning: 'the cluster is not at the version that If-Match named, or changed meanwhile' },
  node_check_failed: { status: 400, meaning: 'a node failed its check; the detail names each and what helps' },
  node_failed: { status: 502, meaning: 'a node failed during the action, which was rolled back' },
  not_leader: { status: 503, meaning: 'no controller leads at present; try again' },
  unavailable: { status: 503, meaning: 'the metadata store cannot be reached; try again' },
  unauthorized: { status: 401, meaning: 'no or a wrong token' },
  forbidden: { status: 403, meaning: 'the caller may not do this' },
  outcome_unknown: { status: 504, meaning: 'it may or may not have happened; the detail names the operation' },
  internal: { status: 500, meaning: 'a fault of the controller' },
} as const satisfies Record<string, { readonly status: number; readonly meaning: string }>;

export type RefusalCode = keyof typeof refusals;

/** The document's own words, for entries that exist or do not and for nothing else. */
const ALREADY_EXISTED = 'the entry already existed';
const DOES_NOT_EXIST = 'the entry does not exist';

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;
  readonly detail: unknown;

  constructor(code: RefusalCode, message: string, detail?: unknown) {
    super(message);
    this.code = code;
    this.detail = detail;
  }

  get status(): number {
    return refusals[this.code].status;
  }
}

export const notFound = (which: string): Refusal => new Refusal('not_found', DOES_NOT_EXIST, which);
export const alreadyExists = (which: string): Refusal => new Refusal('already_exists', ALREADY_EXISTED, which);
export const invalid = (message: string, detail?: unknown): Refusal => new Refusal('invalid', message, detail);
