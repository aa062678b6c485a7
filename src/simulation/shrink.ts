/** Makes a failed run shorter: the same seed with acts left out, as long as the same promise breaks. */
import { type Outcome, run, type Scenario } from './run.ts';

/** Runs at most, so that a failure is told in time. */
const TRIES = 60;

/** The shortest run found that breaks the first promise that `failed` broke, cut off there. */
export async function shrink(scenario: Scenario, failed: Outcome): Promise<Outcome> {
  const promise = failed.broken[0]?.promise;
  let tries = 0;
  const attempt = async (skip: readonly number[]): Promise<Outcome | undefined> => {
    tries++;
    const outcome = await run(scenario, failed.seed, { untilBroken: true, skip });
    return outcome.broken[0]?.promise === promise ? outcome : undefined;
  };
  let best = (await attempt(failed.skipped)) ?? failed;
  // Half of them at once first, then fewer and fewer; from the start again as long as something could be left out.
  for (let size = Math.ceil(best.acts.length / 2); size >= 1; ) {
    let shorter: Outcome | undefined;
    for (let from = 0; from < best.acts.length && shorter === undefined && tries < TRIES; from += size)
      shorter = await attempt([...best.skipped, ...best.acts.slice(from, from + size)]);
    if (shorter !== undefined) best = shorter;
    else if (size === 1 || tries >= TRIES) break;
    else size = Math.ceil(size / 2);
    size = Math.min(size, Math.max(1, best.acts.length));
    if (best.acts.length === 0) break;
  }
  return { ...best, skipped: [...best.skipped].sort((a, b) => a - b) };
}
