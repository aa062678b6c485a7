/**
 * A test is a situation: nodes, a controller, what befalls them, and the same check at the end. Those that do not
 * disturb each other are played side by side under one controller, which most of their time is spent waiting for.
 */
import test, { after, before, suite, type TestContext } from 'node:test';
import { Controller } from './controller.ts';
import { Scene, type SceneOptions } from './scene.ts';

type Play = (scene: Scene) => Promise<void>;
export type Define = (name: string, options: SceneOptions, play: Play) => void;

const TIMEOUT = 120_000;

async function played(t: TestContext, options: SceneOptions, play: Play, offered?: Controller): Promise<void> {
  const shared = options.ownController === true ? undefined : offered;
  const note = (text: string) => t.diagnostic(text);
  const scene = await Scene.begin(options, note, shared);
  try {
    await Promise.race([play(scene), overdue(t.signal)]);
  } catch (error) {
    // What other scenes made it say is of no interest.
    const lines = scene.controller.log.split('\n');
    t.diagnostic(lines.filter((line) => shared === undefined || line.includes(`"${scene.namespace}`)).join('\n'));
    throw error;
  } finally {
    await scene.end();
  }
}

/** A test that takes too long is ended like one that fails. */
const overdue = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('it took too long'))));

/** A test with a controller of its own, after the other tests of its file. */
export const scenario: Define = (name, options, play) => {
  test(name, { timeout: TIMEOUT }, (t) => played(t, options, play));
};

/** Tests that are played so many at once, under one controller, which none of them may touch, or each under its own. */
export function together(theme: string, atOnce: number, define: (scenario: Define) => void): void {
  suite(theme, { concurrency: atOnce }, () => {
    let controller: Controller | undefined;
    before(async () => {
      controller = await Controller.start();
      controller.shared = true;
    });
    after(async () => {
      if (controller === undefined) return;
      controller.shared = false;
      await controller.kill();
    });
    define((name, options, play) => {
      test(name, { timeout: TIMEOUT }, async (t) => {
        if (controller === undefined) throw new Error('the controller did not start');
        await played(t, options, play, controller);
      });
    });
  });
}
