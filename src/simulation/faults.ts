/**
 * What befalls a cluster in a random run: faults and an operator's commands in an order and at instants drawn from the
 * seed. A cluster that is not whole is mostly left alone, so that each run has something to lose. Each act draws from a
 * child of the seed of its own: one that is left out shifts nothing that the others draw.
 */
import type { RandomSource } from '../runtime/runtime.ts';
import { controlActs, networkActs } from './acts-control.ts';
import { nodeActs, whole } from './acts-nodes.ts';
import { operatorActs } from './acts-operator.ts';
import type { Deployment, Scenario } from './run.ts';
import type { Stage } from './stage.ts';

export interface RandomOptions {
  /** Acts in one run. */
  readonly acts: number;
  /** Between two acts, in ms. */
  readonly pause: readonly [number, number];
  /** Controllers; drawn from 1 to 3 if not given. */
  readonly controllers?: number | undefined;
}

export interface Act {
  readonly name: string;
  /** How often it is drawn. */
  readonly weight: number;
  /** `index` is that of a shard. Whoever goes on after it does not wait for its end. */
  play(stage: Stage, index: number): void | Promise<void>;
}

const acts: readonly Act[] = [...nodeActs, ...controlActs, ...networkActs, ...operatorActs];
const total = acts.reduce((sum, { weight }) => sum + weight, 0);

function draw(random: RandomSource): Act | undefined {
  let left = random.next() * total;
  return acts.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
}

/** A disturbed cluster is hit again this often. */
const AGAIN = 0.15;

/** `use-rsid-psync` mostly off, as it is by default; in some runs on, in others some nodes change it with a restart. */
function deploy(random: RandomSource, controllers: number | undefined): Deployment {
  const drawn = 1 + Math.floor(random.next() * 3);
  const kind = random.next();
  const rsid = random.child('rsid');
  const conf = (index: number, life: number): Readonly<Record<string, string>> => {
    if (kind < 0.6) return {};
    const changed = kind >= 0.8 && life > 1 && rsid.child(`node ${index}`).next() < 0.5;
    return { 'use-rsid-psync': kind < 0.9 !== changed ? 'yes' : 'no' };
  };
  return { controllers: controllers ?? drawn, conf };
}

/** In some runs slots are copied at a speed of the cluster's, which changes now and then. */
async function changeSpeeds(stage: Stage, { acts: count, pause: [, longest] }: RandomOptions): Promise<void> {
  if (!stage.chance(0.4)) return;
  for (let i = 0; i < count / 3; i++) {
    const speed = stage.pick([null, 0, 50, 5_000]);
    const rate = stage.pick([null, 1, 100]);
    await stage.settings({ migrate_speed: speed ?? null, migrate_rate_limit_mb: rate ?? null });
    await stage.sleep(stage.between(0, longest * 4));
  }
}

export function randomScenario(shards: number, perShard: number, options: RandomOptions): Scenario {
  return {
    name: 'random',
    shards,
    perShard,
    spares: 1,
    lostAnswers: 0.01,
    deploy: (random) => deploy(random, options.controllers),
    async play(stage) {
      void changeSpeeds(stage.drawing(stage.random.child('speeds')), options);
      for (let i = 0; i < options.acts; i++) {
        const own = stage.drawing(stage.random.child(`act ${i}`));
        await stage.sleep(own.between(options.pause[0], options.pause[1]));
        const index = Math.floor(own.between(0, stage.invariants.cluster?.shards.length ?? 1));
        const again = own.chance(AGAIN);
        const act = draw(own.random);
        if (act === undefined || stage.skipped.has(i) || !(again || whole(stage))) continue;
        stage.acted(i, act.name);
        void act.play(own, index);
      }
      await stage.sleep(2_000);
    },
  };
}
