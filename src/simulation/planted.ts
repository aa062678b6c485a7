/**
 * Defects put into the product on purpose, to see that the simulation finds them. Each is a change of source text, made
 * while the module is loaded. All defects are in one copy of the product, beside the sound one, and one at a time is
 * switched on in it: a copy for each would take longer to load than to try.
 */
import { registerHooks } from 'node:module';
import { plants } from './plants.ts';

export interface Edit {
  /** Below src/. */
  readonly file: string;
  /** An expression that stands there once. */
  readonly find: string;
  /** What stands there under the defect; or, with PLANTED in it, the text for both. */
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

const SOURCES = new URL('..', import.meta.url).href;
const MARK = '?planted';
/** Nothing is planted there: one copy of these serves all. */
const SOUND = ['emulator/', 'runtime/'];
const SWITCH = 'plantedDefect';

/** What could not be planted, since the text to be changed is not there any more. */
const stale = new Map<Plant, string>();

/** The source of a module with every defect in it. */
function changed(file: string, source: string): string {
  let text = source;
  plants.forEach((plant, number) => {
    for (const edit of plant.edits) {
      if (edit.file !== file) continue;
      if (!text.includes(edit.find)) stale.set(plant, `${file} has no ${edit.find}`);
      const on = `(globalThis.${SWITCH} === ${number})`;
      const both = edit.replace.includes('PLANTED')
        ? edit.replace.replaceAll('PLANTED', on)
        : `(!${on} ? (${edit.find}) : (${edit.replace}))`;
      text = text.replace(edit.find, () => both);
    }
  });
  return text;
}

let hooked = false;

function hook(): void {
  if (hooked) return;
  hooked = true;
  registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      const within = context.parentURL?.endsWith(MARK) === true && resolved.url.startsWith(SOURCES);
      if (!within || SOUND.some((room) => resolved.url.startsWith(SOURCES + room))) return resolved;
      return { ...resolved, url: resolved.url + MARK };
    },
    load(url, context, next) {
      if (!url.endsWith(MARK)) return next(url, context);
      const path = url.slice(0, -MARK.length);
      const { source } = next(path, context);
      const text = typeof source === 'string' ? source : new TextDecoder().decode(source ?? undefined);
      return {
        format: 'module-typescript',
        source: changed(path.slice(SOURCES.length), text),
        shortCircuit: true,
      };
    },
  });
}

export interface PlantedSimulation {
  readonly run: typeof import('./run.ts').run;
  readonly scenarioNamed: typeof import('./scenarios.ts').scenarioNamed;
}

/** The simulation over a product with this defect in it, until another one is asked for. Rejects if it cannot be planted. */
export async function planted(plant: Plant): Promise<PlantedSimulation> {
  hook();
  Reflect.set(globalThis, SWITCH, plants.indexOf(plant));
  const { run }: typeof import('./run.ts') = await import(`./run.ts${MARK}`);
  const { scenarioNamed }: typeof import('./scenarios.ts') = await import(`./scenarios.ts${MARK}`);
  const why = stale.get(plant);
  if (why !== undefined) throw new Error(`"${plant.name}" cannot be planted: ${why}`);
  return { run, scenarioNamed };
}
