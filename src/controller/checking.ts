/** Checks a cluster, and mends one finding at a time by the verbs that the control plane has anyway. */
import { type CheckFinding, checkFindings } from '../decisions/check.ts';
import { nodesKnow } from '../decisions/decide.ts';
import type { DeepLook } from '../decisions/deep-look.ts';
import type { Finding } from '../decisions/problems.ts';
import { costOf, type Remedy, stepsOf } from '../decisions/remedies.ts';
import type { World } from '../decisions/world.ts';
import type { Duration, Instant, Runtime } from '../runtime/runtime.ts';
import { nodesOf } from '../topology/cluster.ts';
import { formatRange } from '../topology/slots.ts';
import { refusePaused } from './changes.ts';
import type { CheckFindingView, CheckView, FixResult } from './check-views.ts';
import type { ClusterName, ControlPlane, WriteOptions } from './control-plane.ts';
import { deepLook } from './deep-look.ts';
import { describe } from './describe.ts';
import { legible } from './legible.ts';
import { notFound, Refusal } from './refusal.ts';
import type { Supervisor } from './supervisor.ts';

interface Checked {
  readonly view: CheckView;
  readonly findings: readonly CheckFinding[];
  readonly world: World;
}

/** Every node is asked anew, and waited for so long. */
const FRESH_WITHIN: Duration = 3_000;
/** And so long for what mends itself once it was read. */
const MENDED_WITHIN: Duration = 1_000;

/** Two at once of the same cluster are one: each costs its nodes something. */
const underWay = new WeakMap<Supervisor, Map<Duration, Promise<Checked>>>();

export async function check(runtime: Runtime, supervisor: Supervisor, scanFor: Duration): Promise<CheckView> {
  return (await joined(runtime, supervisor, scanFor)).view;
}

function joined(runtime: Runtime, supervisor: Supervisor, scanFor: Duration): Promise<Checked> {
  const own = underWay.get(supervisor) ?? new Map<Duration, Promise<Checked>>();
  underWay.set(supervisor, own);
  const known = own.get(scanFor);
  if (known !== undefined) return known;
  const begun = look(runtime, supervisor, scanFor).finally(() => own.delete(scanFor));
  own.set(scanFor, begun);
  return begun;
}

async function look(runtime: Runtime, supervisor: Supervisor, scanFor: Duration): Promise<Checked> {
  // First what is there, then what becomes of it: reading anew has the controller mend what it can.
  const deep = await deepLook(runtime, supervisor.world(), scanFor);
  const since = runtime.clock.now();
  supervisor.sync(false);
  await supervisor.until((world) => askedSince(world, since), FRESH_WITHIN);
  if (supervisor.intended.pause === null) await supervisor.until(nodesKnow, MENDED_WITHIN);
  const status = describe(supervisor);
  const world = supervisor.world();
  const problems = status.problems.map(
    ({ waiting_for, ...problem }): Finding => ({ ...problem, waitingFor: waiting_for }),
  );
  const findings = checkFindings(world, problems, deep);
  const { namespace, cluster, version, state, paused } = status;
  return {
    world,
    findings,
    view: {
      namespace,
      cluster,
      version,
      state,
      paused,
      findings: findings.map((finding) => viewOf(world, finding)),
      looked: lookedAt(deep),
    },
  };
}

/** Each node has answered or failed a question that was sent since, and what answers was read. */
function askedSince(world: World, since: Instant): boolean {
  return [...nodesOf(world.intended.cluster), ...world.intended.cluster.leaving].every(({ id }) => {
    const view = world.view(id);
    if (view === undefined || view.failedAskedAt >= since) return true;
    return view.askedAt >= since && (view.state !== 'up' || view.busySince !== null || view.holdsSince >= since);
  });
}

function lookedAt({ nodes }: DeepLook): CheckView['looked'] {
  const read = [...nodes.values()].filter((look) => look.kind === 'read');
  const keys = read.flatMap((look) => (look.keys === null ? [] : [look.keys]));
  return {
    nodes: read.length,
    masters: keys.filter(({ from }) => from === null).length,
    keys: keys.reduce((sum, { looked }) => sum + looked, 0),
  };
}

function viewOf(world: World, finding: CheckFinding): CheckFindingView {
  const { key, code, severity, shard, node, slots, message, evidence, waitingFor, remedy, command } = finding;
  const words = (text: string) => legible(text, world.intended.cluster);
  return {
    key,
    code,
    severity,
    shard,
    node,
    slots: slots.length === 0 ? null : slots.map(formatRange),
    message: words(message),
    evidence: evidence.map(words),
    waiting_for: waitingFor === null ? null : words(waitingFor),
    fix: remedy === null ? null : { steps: stepsOf(world, remedy).map(words), costs: costWords(world, remedy) },
    command,
  };
}

function costWords(world: World, remedy: Remedy): string | null {
  const cost = costOf(remedy);
  return cost === null ? null : legible(cost, world.intended.cluster);
}

export interface FixOptions extends WriteOptions {
  readonly dryRun: boolean;
  /** Ms for looking through the keys of each master. */
  readonly scanFor: Duration;
}

/** What a fix is carried out by. */
export interface Verbs extends Pick<ControlPlane, 'sync' | 'readmitNode' | 'readmitEmpty' | 'failover' | 'forgetNode'> {
  giveSlots(name: ClusterName, remedy: Extract<Remedy, { kind: 'give-slots' }>, options: WriteOptions): Promise<void>;
}

/** Throws a `Refusal` where the finding is not there, or it cannot be mended like this; then nothing was done. */
export async function fix(
  runtime: Runtime,
  supervisor: Supervisor,
  name: ClusterName,
  key: string,
  options: FixOptions,
  verbs: Verbs,
): Promise<FixResult> {
  const before = await joined(runtime, supervisor, options.scanFor);
  const found = before.findings.find((one) => one.key === key);
  if (found === undefined) throw notThere(key, before.findings);
  const finding = viewOf(before.world, found);
  const refusal = objection(before.world, found, finding, options.force === true);
  if (options.dryRun) return { dry_run: true, finding, refused: refusal?.message ?? null, mended: null, left: null };
  if (refusal !== undefined || found.remedy === null) throw refusal ?? unfixable(finding);
  await carryOut(found.remedy, name, options, verbs);
  const after = await joined(runtime, supervisor, key.startsWith('KEYS_') ? options.scanFor : 0);
  const still = after.view.findings.find((one) => one.key === key && one.severity !== 'note');
  return { dry_run: false, finding, refused: null, mended: still === undefined, left: still ?? null };
}

function notThere(key: string, findings: readonly CheckFinding[]): Refusal {
  const there = findings.filter(({ remedy }) => remedy !== null).map((one) => one.key);
  return notFound(
    `finding ${key}: ${there.length === 0 ? 'there is none now that can be fixed' : `those that can be fixed now are ${there.join(', ')}`}`,
  );
}

function unfixable({ key, waiting_for, command }: CheckFindingView): Refusal {
  const todo = [waiting_for === null ? [] : [`it waits for ${waiting_for}`], command === null ? [] : [command]].flat();
  const so = todo.length === 0 ? 'it mends itself, or asks for nothing' : todo.join('; ');
  return new Refusal('operation_running', `${key}: nothing that the controller could do mends it: ${so}`);
}

/** Undefined where it may be done. */
function objection(
  world: World,
  { remedy }: CheckFinding,
  finding: CheckFindingView,
  force: boolean,
): Refusal | undefined {
  if (remedy === null) return unfixable(finding);
  try {
    refusePaused(world);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  const cost = costWords(world, remedy);
  if (cost === null || force) return undefined;
  return new Refusal('operation_running', `${finding.key}: ${cost}; pass force to do it all the same`);
}

async function carryOut(remedy: Remedy, name: ClusterName, options: WriteOptions, verbs: Verbs): Promise<void> {
  switch (remedy.kind) {
    case 'sync':
      return verbs.sync(name, { ...options, force: false });
    case 'overwrite':
      return verbs.sync(name, { ...options, force: true });
    case 'give-slots':
      return verbs.giveSlots(name, remedy, options);
    case 'readmit':
      return verbs.readmitNode(name, remedy.node, { ...options, force: remedy.force });
    case 'readmit-empty':
      return verbs.readmitEmpty(name, remedy.node, options);
    case 'failover':
      await verbs.failover(name, { id: remedy.shard }, undefined, { ...options, force: remedy.force });
      return;
    case 'forget':
      return verbs.forgetNode(name, remedy.node, options);
  }
}
