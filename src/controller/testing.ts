/** For tests of whole controllers: a simulated deployment that is played through in virtual time. */

import type { ControllerHost } from '../simulation/controllers.ts';
import { World } from '../simulation/world.ts';
import type { ControlPlane } from './control-plane.ts';

export interface Deployment {
  readonly shards: number;
  readonly perShard: number;
  readonly controllers?: number;
  /** Nodes that belong to no cluster. */
  readonly spare?: number;
}

/** Plays a situation in a cluster that was just created. Fails with whatever fails in it. */
export async function played(
  { shards, perShard, controllers = 1, spare = 0 }: Deployment,
  play: (world: World, leader: ControllerHost) => Promise<void>,
): Promise<void> {
  const world = new World({
    seed: 1,
    nodes: shards * perShard + spare,
    controllers,
    traffic: { clients: 0, keysPerClient: 1, pause: 1_000 },
    leadership: 'lease',
    conf: () => ({}),
  });
  let over = false;
  const whole = async () => {
    world.start();
    await world.createCluster(shards, perShard);
    const { leader } = world;
    if (leader === undefined) throw new Error('nobody leads');
    await play(world, leader);
  };
  const ended = whole().finally(() => {
    over = true;
  });
  // It is awaited below; until then its failure is not the loop's.
  ended.catch(() => {});
  await world.loop.run(() => over);
  for (const controller of world.controllers) controller.kill();
  await ended;
}

/** Waits in virtual time until `done` says so; throws after `within` ms. */
export async function until(world: World, what: string, done: () => boolean, within = 5_000): Promise<void> {
  const end = world.loop.now + within;
  while (!done()) {
    if (world.loop.now >= end) throw new Error(`not within ${within} ms: ${what}`);
    await world.loop.sleep(10);
  }
}

/** The plane of a process that leads. Throws where there is none. */
export function planeOf(world: World): ControlPlane {
  const { controller } = world;
  if (controller === undefined) throw new Error('nobody leads');
  return controller;
}
