/** Planted: who is taken for dead, and who is promoted. */
import type { Plant } from './planted.ts';

/** The check at the commit would hold back what is planted before it: here the watch from outside has to see it. */
const UNCHECKED = {
  file: 'checks/promises.ts',
  find: 'before === undefined',
  replace: 'before === undefined || broken.length === 0',
};

export const deathPlants: readonly Plant[] = [
  {
    name: 'decided before 0.6 s are over',
    edits: [
      {
        file: 'decisions/world.ts',
        find: 'decideAfter: 600',
        replace: 'get decideAfter() { return PLANTED ? 40 : 600; }',
      },
    ],
    scenario: 'master-restarts-quickly',
    promise: 'the scenario',
    seeds: 4,
  },
  {
    name: 'a pause is taken for a death',
    edits: [
      {
        file: 'decisions/liveness.ts',
        find: 'world.watchingSince) + world.policy.tolerance',
        replace: 'world.watchingSince) + (PLANTED ? 300 : world.policy.tolerance)',
      },
      { file: 'decisions/witness.ts', find: 'DETECTION.witnessSilence', replace: '0' },
      { file: 'decisions/liveness.ts', find: 'master.timeouts < 2', replace: 'master.timeouts < 1' },
    ],
    scenario: 'master-pauses-briefly',
    promise: 'the scenario',
    seeds: 8,
  },
  {
    name: 'a replica that still hears its master is not asked',
    edits: [
      {
        file: 'decisions/witness.ts',
        find: ") return 'against';",
        replace: ") return PLANTED ? 'for' : 'against';",
      },
    ],
    scenario: 'controller-isolated-from-one-master-only',
    promise: 'the scenario',
    seeds: 8,
  },
  {
    name: 'a witness whose link was never up',
    edits: [
      {
        file: 'decisions/witness.ts',
        find: 'view.linkUpAt < brokeAt - DETECTION.witnessWithin',
        replace: 'view.linkUpAt > brokeAt',
      },
      {
        file: 'decisions/witness.ts',
        find: 'node.cutOff || lostBefore(view, master)',
        replace: 'node.cutOff && node.noFailover',
      },
      {
        file: 'decisions/promotion.ts',
        find: '!wanted.force && cutOff',
        replace: 'view.sequence < 0',
      },
      { file: 'decisions/promotion.ts', find: 'view.sequence < eligibleFrom', replace: 'view.sequence < 0' },
    ],
    scenario: 'no-witness',
    promise: 'the scenario',
    seeds: 4,
  },
  {
    name: 'evidence from before a stall is believed',
    edits: [
      {
        file: 'controller/supervisor.ts',
        find: 'this.#trustFrom = now;',
        replace: 'if (!PLANTED) this.#trustFrom = now;',
      },
    ],
    scenario: 'controller-and-master-stall-together',
    promise: 'the scenario',
    seeds: 12,
  },
  {
    name: 'a pause of the cluster is ignored',
    edits: [
      {
        file: 'decisions/failover.ts',
        find: 'if (world.intended.pause !== null) return {',
        replace: 'if (!PLANTED && world.intended.pause !== null) return {',
      },
    ],
    scenario: 'paused-cluster',
    promise: 'the scenario',
    seeds: 2,
  },
  {
    name: 'the least advanced is promoted',
    edits: [{ file: 'decisions/promotion.ts', find: 'b.sequence - a.sequence', replace: 'a.sequence - b.sequence' }],
    scenario: 'master-killed-two-replicas',
    promise: 'the most advanced is promoted',
    seeds: 12,
  },
  {
    name: 'the unproven are promoted',
    edits: [
      UNCHECKED,
      {
        file: 'decisions/promotion.ts',
        find: 'node.proof === null && node.attaching !== null',
        replace: 'node.noFailover',
      },
      {
        file: 'decisions/promotion.ts',
        find: 'else if (node.proof === null)',
        replace: 'else if (!PLANTED && node.proof === null)',
      },
      {
        file: 'decisions/promotion.ts',
        find: 'else if (standingProof(world, node) === null)',
        replace: 'else if (!PLANTED && standingProof(world, node) === null)',
      },
      {
        file: 'decisions/promotion.ts',
        find: 'else if (node.proof.entry !== newestEntry(shard).version)',
        replace: 'else if (!PLANTED && node.proof?.entry !== newestEntry(shard).version)',
      },
      { file: 'decisions/promotion.ts', find: "view.link === 'sync'", replace: 'node.noFailover' },
      { file: 'decisions/promotion.ts', find: 'view.sequence === 0 && floor > 0', replace: 'node.noFailover' },
      { file: 'decisions/promotion.ts', find: 'view.sequence < eligibleFrom', replace: 'view.sequence < 0' },
      {
        file: 'decisions/promotion.ts',
        find: '!wanted.force && cutOff',
        replace: 'view.sequence < 0',
      },
      { file: 'decisions/witness.ts', find: "view.link === 'sync'", replace: 'node.highest < 0' },
    ],
    scenario: 'replica-in-full-sync',
    promise: 'only the proven are masters',
    seeds: 12,
  },
  {
    name: 'one below its own highest number is promoted',
    edits: [
      {
        file: 'decisions/promotion.ts',
        find: 'view.sequence < node.highest || view.sequence < view.highest',
        replace: 'view.sequence < 0',
      },
      {
        file: 'decisions/rejoin.ts',
        find: 'view.sequence < Math.max(view.highest, node.highest)',
        replace: 'view.sequence < 0',
      },
    ],
    scenario: 'replica-rolled-back-as-its-master-dies',
    promise: 'no replica lies',
    seeds: 12,
  },
  {
    name: 'the lag limit is forgotten',
    edits: [{ file: 'decisions/promotion.ts', find: 'view.sequence < eligibleFrom', replace: 'view.sequence < 0' }],
    scenario: 'replica-too-far-behind',
    promise: 'the scenario',
    seeds: 4,
  },
  {
    name: 'the excluded are promoted',
    edits: [
      {
        file: 'decisions/promotion.ts',
        find: 'node.noFailover && wanted.preferred !== node.id',
        replace: 'node.highest < 0',
      },
    ],
    scenario: 'replica-excluded',
    promise: 'the scenario',
    seeds: 8,
  },
  {
    name: 'the brake does not hold',
    edits: [
      {
        file: 'decisions/failover.ts',
        find: "world.brake && verdict.how === 'no-witness'",
        replace: 'verdict.brokeAt < 0',
      },
    ],
    scenario: 'half-the-nodes-of-a-site-vanish',
    promise: 'the scenario',
    seeds: 4,
  },
  {
    name: 'nothing damps',
    edits: [
      {
        file: 'decisions/damping.ts',
        find: 'return until > world.now ? until : undefined;',
        replace: 'return until > world.now && !PLANTED ? until : undefined;',
      },
    ],
    scenario: 'flapping-master',
    promise: 'the scenario',
    seeds: 8,
  },
  {
    name: 'a failover that was committed late is told at once',
    edits: [
      {
        file: 'decisions/telling.ts',
        find: 'untoldUntil(world) !== undefined',
        replace: 'world.now < 0',
      },
    ],
    scenario: 'late-commit',
    promise: 'the scenario',
    seeds: 4,
  },
  {
    name: 'a promotion that is being told is given back',
    edits: [
      {
        file: 'controller/watching.ts',
        find: 'if (wants.length > 0) this.#on.telling();',
        replace: 'if (!PLANTED && wants.length > 0) this.#on.telling();',
      },
      {
        file: 'controller/watching.ts',
        find: 'watch.busySince = since;',
        replace: 'watch.busySince = since; if (PLANTED && since !== null) this.#on.telling();',
      },
    ],
    scenario: 'master-is-back-while-the-one-that-replaced-it-late-is-being-told',
    promise: 'what is given back was told to nobody',
    seeds: 12,
  },
  {
    name: 'promoted without a hold where nobody could witness it',
    edits: [
      {
        file: 'decisions/liveness.ts',
        find: '!witnessed && world.now < heldUntil',
        replace: '!witnessed && world.now < 0',
      },
    ],
    scenario: 'master-dies-while-no-controller-runs',
    promise: 'the scenario',
    seeds: 8,
  },
];
