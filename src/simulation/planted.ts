/**
 * Defects put into the product on purpose, to see that the simulation finds them. Each is a change of source text, made
 * while the module is loaded: a run under a defect gets a whole copy of the product of its own, beside the sound one.
 */
import { registerHooks } from 'node:module';

interface Edit {
  /** Below src/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Plant {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** The scenario that shows it. */
  readonly scenario: string;
  /** The promise that has to be seen broken. */
  readonly promise: string;
  /** Within so many seeds, from 1. */
  readonly seeds: number;
}

/** The check at the commit would hold back what is planted before it: here the watch from outside has to see it. */
const UNCHECKED: Edit = {
  file: 'checks/promises.ts',
  find: 'if (before === undefined) return broken;',
  replace: 'if (before === undefined || broken.length === 0) return broken;',
};

export const plants: readonly Plant[] = [
  {
    name: 'a version is used again',
    edits: [
      UNCHECKED,
      {
        file: 'operations/intended.ts',
        find: 'Math.max(intended.cluster.version, seen) + 1',
        replace: 'Math.max(intended.cluster.version, seen)',
      },
    ],
    scenario: 'master-killed',
    promise: 'a version is spent once',
    seeds: 1,
  },
  {
    name: 'the least advanced is promoted',
    edits: [{ file: 'decisions/promotion.ts', find: 'sequence > best.sequence', replace: 'sequence < best.sequence' }],
    scenario: 'master-killed-two-replicas',
    promise: 'the most advanced is promoted',
    seeds: 12,
  },
  {
    name: 'the ends of a running move are told',
    edits: [
      {
        file: 'operations/intended.ts',
        find: "(move) => move.phase === 'migrating' && ",
        replace: '(move) => move.failures < 0 && ',
      },
    ],
    scenario: 'version-raised-while-a-move-runs',
    promise: 'the ends of a running move hear nothing',
    seeds: 12,
  },
  {
    name: 'the replica is told the drained version',
    edits: [
      {
        file: 'operations/intended.ts',
        find: 'switchover.from !== node)',
        replace: 'switchover.from !== node && switchover.to !== node)',
      },
    ],
    scenario: 'switchover-under-write-load',
    promise: 'a drained version is for the old master alone',
    seeds: 2,
  },
  {
    name: 'anybody may follow',
    edits: [
      { file: 'topology/lineage.ts', find: 'if (sequence > smallest)', replace: 'if (sequence > smallest * 1e9)' },
    ],
    scenario: 'old-master-wrote-while-isolated',
    promise: 'replicas are copies',
    seeds: 12,
  },
  {
    name: 'the swap does not wait for the replica',
    edits: [
      {
        file: 'decisions/switchovers.ts',
        find: 'if (trace.reached !== undefined && trace.reached >= drained.sequence)',
        replace: 'if (drained.sequence >= 0)',
      },
    ],
    scenario: 'switchover-behind-a-slow-link',
    promise: 'no acknowledged write is lost',
    seeds: 12,
  },
  {
    name: 'a pause is taken for a death',
    edits: [
      { file: 'operations/settings.ts', find: 'tolerance: 3_000', replace: 'tolerance: 300' },
      { file: 'decisions/world.ts', find: 'witnessSilence: 4', replace: 'witnessSilence: 0' },
      { file: 'decisions/liveness.ts', find: 'master.timeouts < 2', replace: 'master.timeouts < 1' },
    ],
    scenario: 'master-pauses-briefly',
    promise: 'the scenario',
    seeds: 12,
  },
];

const SOURCES = new URL('..', import.meta.url).href;
const MARK = '?planted=';

/** The source of a module under a defect. Throws where the text to be changed is not there any more. */
function changed(url: string, source: string): string {
  const at = url.indexOf(MARK);
  const plant = plants[Number(url.slice(at + MARK.length))];
  const file = url.slice(SOURCES.length, at);
  let text = source;
  for (const edit of plant?.edits ?? []) {
    if (edit.file !== file) continue;
    if (!text.includes(edit.find)) throw new Error(`planted "${plant?.name}": ${file} has no ${edit.find}`);
    text = text.replace(edit.find, edit.replace);
  }
  return text;
}

let hooked = false;

function hook(): void {
  if (hooked) return;
  hooked = true;
  registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      const parent = context.parentURL ?? '';
      const at = parent.indexOf(MARK);
      if (at < 0 || !resolved.url.startsWith(SOURCES) || resolved.url.includes(MARK)) return resolved;
      return { ...resolved, url: resolved.url + parent.slice(at) };
    },
    load(url, context, next) {
      if (!url.includes(MARK)) return next(url, context);
      const { source } = next(url.slice(0, url.indexOf(MARK)), context);
      const text = typeof source === 'string' ? source : new TextDecoder().decode(source ?? undefined);
      return { format: 'module-typescript', source: changed(url, text), shortCircuit: true };
    },
  });
}

/** The simulation over a product with the defect in it. */
export async function planted(plant: Plant): Promise<{
  readonly run: typeof import('./run.ts').run;
  readonly scenarioNamed: typeof import('./scenarios.ts').scenarioNamed;
}> {
  hook();
  const mark = `${MARK}${plants.indexOf(plant)}`;
  const { run }: typeof import('./run.ts') = await import(`./run.ts${mark}`);
  const { scenarioNamed }: typeof import('./scenarios.ts') = await import(`./scenarios.ts${mark}`);
  return { run, scenarioNamed };
}
