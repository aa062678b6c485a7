/** What a refusal of the API means for a user of kvctl: an exit code, and what to do next. */
import { type Exit, Failure } from '../exit.ts';
import { plain, quoted } from '../render/text.ts';
import type { components } from './schema.gen.ts';

type Code = components['schemas']['Refused']['error']['code'];

/** What the refused command was about, as far as it was named. */
export interface Where {
  readonly namespace: string | undefined;
  readonly cluster: string | undefined;
}

interface Meaning {
  readonly exit: Exit;
  readonly next?: (where: Where) => string | undefined;
}

// Total on purpose: a new code of the API compiles once it has its exit code here.
const meanings: Readonly<Record<Code, Meaning>> = {
  already_exists: { exit: 'refused' },
  not_found: { exit: 'missing', next: (where) => listWhatIsThere(where) },
  invalid: { exit: 'usage' },
  not_empty: {
    exit: 'refused',
    next: ({ namespace }) => `Delete its clusters first: ${line('list clusters', { namespace })}`,
  },
  owns_slots: {
    exit: 'refused',
    next: (where) => `Move its slots away first: ${line('migrate slot <slots> --target <shard>', where)}`,
  },
  is_master: { exit: 'refused', next: (where) => `Fail over first: ${line('failover shard <shard>', where)}` },
  no_eligible_replica: {
    exit: 'refused',
    next: (where) =>
      `See who might be promoted: ${line('failover shard <shard> --dry-run', where)}; --force may lose writes.`,
  },
  operation_running: { exit: 'refused', next: (where) => `See what stands in the way: ${statusLine(where)}` },
  changed: { exit: 'refused', next: (where) => `Look at it as it is now, then decide again: ${statusLine(where)}` },
  node_check_failed: {
    exit: 'node',
    next: () => 'Nothing was changed. Mend the nodes named above, then repeat the command.',
  },
  node_failed: { exit: 'node', next: (where) => `It was rolled back. See the nodes: ${statusLine(where)}` },
  not_leader: { exit: 'unavailable', next: () => 'Try again in a few seconds.' },
  unavailable: { exit: 'unavailable', next: () => 'Try again in a few seconds.' },
  unauthorized: { exit: 'failed' },
  forbidden: { exit: 'failed' },
  outcome_unknown: { exit: 'unknown', next: (where) => `Find out whether it happened: ${statusLine(where)}` },
  internal: { exit: 'failed', next: () => 'This is a fault of the controller: its log has the details.' },
};

/** A command line of kvctl with the place it is about. */
export function line(command: string, { namespace, cluster }: Partial<Where>): string {
  const place = [
    ...(namespace === undefined ? [] : [`-n ${quoted(namespace)}`]),
    ...(cluster === undefined ? [] : [`-c ${quoted(cluster)}`]),
  ];
  return ['kvctl', command, ...place].join(' ');
}

const statusLine = (where: Where): string => line('status', where);

const listWhatIsThere = ({ namespace, cluster }: Where): string =>
  `See what is there: ${cluster === undefined ? line('list namespaces', {}) : line('list clusters', { namespace })}`;

const isObject = (value: unknown): value is { readonly [member: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCode = (value: unknown): value is Code => typeof value === 'string' && Object.hasOwn(meanings, value);

/** For an answer without a code that is known here: an older controller's, or a proxy's. */
function exitOfStatus(status: number): Exit {
  if (status === 400) return 'usage';
  if (status === 404) return 'missing';
  if (status === 409) return 'refused';
  if (status === 504) return 'unknown';
  return status === 502 || status === 503 ? 'unavailable' : 'failed';
}

/** The failure that an answer of 4xx or 5xx stands for. `body` may be anything. */
export function failureOf(status: number, body: unknown, where: Where): Failure {
  const error = isObject(body) ? body['error'] : undefined;
  if (!isObject(error) || typeof error['message'] !== 'string') {
    return new Failure(exitOfStatus(status), `the controller answered with HTTP status ${status}`);
  }
  const code = error['code'];
  const meaning: Meaning = isCode(code) ? meanings[code] : { exit: exitOfStatus(status) };
  const detail = error['detail'];
  const message = typeof detail === 'string' ? `${error['message']}: ${detail}` : error['message'];
  return new Failure(meaning.exit, plain(message), {
    details: typeof detail === 'string' ? [] : detailLines(detail),
    next: meaning.next?.(where),
  });
}

/** A line for each reason; members of an object that are no sentence are named. */
function detailLines(detail: unknown): readonly string[] {
  if (detail === undefined || detail === null) return [];
  if (Array.isArray(detail))
    return detail.flatMap((each: unknown) => (isObject(each) ? [objectLine(each)] : detailLines(each)));
  if (!isObject(detail)) return [plain(String(detail))];
  return Object.entries(detail).flatMap(([name, value]) =>
    Array.isArray(value) || isObject(value)
      ? [`${plain(name)}:`, ...detailLines(value).map((text) => `  ${text}`)]
      : [`${plain(name)}: ${plain(String(value))}`],
  );
}

const SUBJECTS = ['addr', 'address', 'node'];

/** `127.0.0.1:7000: cluster mode is off; help: ...`: what it is about first, then the rest. */
function objectLine(value: { readonly [member: string]: unknown }): string {
  const subject = SUBJECTS.find((name) => typeof value[name] === 'string');
  const rest = Object.entries(value)
    .filter(([name, of]) => name !== subject && of !== null && !(Array.isArray(of) && of.length === 0))
    .map(([name, of]) => `${SPOKEN.has(name) ? '' : `${name} `}${wordsOf(of)}`);
  const text = rest.join('; ');
  return plain(subject === undefined ? text : `${String(value[subject])}: ${text}`);
}

/** Members whose value is a sentence that needs no name before it. */
const SPOKEN = new Set(['message', 'reason', 'reasons', 'why', 'help', 'refusals']);

function wordsOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(wordsOf).join(', ');
  return isObject(value) ? JSON.stringify(value) : String(value);
}
