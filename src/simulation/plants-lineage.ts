/** Planted: who is let back, and what is believed of its past. */
import type { Edit, Plant } from './planted.ts';

/** Where a log can be asked it would see what is planted here: that is another line of defence. */
const NUMBERS_ARE_BELIEVED: Edit = {
  file: 'decisions/way-back.ts',
  find: 'verdict.may ? doubtOfNumber(world, shard, node, view) : undefined',
  replace: 'verdict.may ? undefined : undefined',
};

export const lineagePlants: readonly Plant[] = [
  {
    name: 'what was saved of a fed replica is saved again and again',
    edits: [
      {
        file: 'decisions/copies.ts',
        find: 'if (to === copy.saved && seal === copy.seal)',
        replace: 'if (!PLANTED && to === copy.saved && seal === copy.seal)',
      },
    ],
    scenario: 'old-master-comes-back-with-the-replica-that-it-went-on-feeding',
    promise: 'commits come to rest',
    seeds: 10,
  },
  {
    name: 'anybody may follow',
    edits: [
      NUMBERS_ARE_BELIEVED,
      { file: 'topology/lineage.ts', find: 'sequence > smallest', replace: 'sequence > smallest * 1e9' },
    ],
    scenario: 'old-master-wrote-while-isolated',
    promise: 'who follows holds what its master was',
    seeds: 4,
  },
  {
    name: 'the entry that a server writes at its start is taken for its master’s',
    edits: [
      {
        file: 'decisions/way-back.ts',
        find: 'if (rsidOnOne(view, world.view(shard.master))) return',
        replace: 'if (!PLANTED && rsidOnOne(view, world.view(shard.master))) return',
      },
    ],
    scenario: 'replica-restarted-with-rsid-while-its-master-was-replaced',
    promise: 'who follows holds what its master was',
    seeds: 4,
  },
  {
    name: 'a sibling stays by a number that counts an entry of its own',
    edits: [
      {
        file: 'decisions/failover.ts',
        find: '(!rsidOnOne(view, world.view(to)) || wasCompared(world, sibling, view))',
        replace: '(PLANTED || !rsidOnOne(view, world.view(to)) || wasCompared(world, sibling, view))',
      },
    ],
    scenario: 'replica-restarted-with-rsid-as-its-master-dies',
    promise: 'who follows holds what its master was',
    seeds: 8,
  },
  {
    name: 'the last P is taken for the smallest',
    edits: [
      NUMBERS_ARE_BELIEVED,
      { file: 'topology/lineage.ts', find: 'Math.min(least, promotion.sequence)', replace: 'promotion.sequence' },
    ],
    scenario: 'old-master-diverged-two-promotions-ago',
    promise: 'who follows holds what its master was',
    seeds: 8,
  },
  {
    name: 'an old master below its P may follow',
    edits: [
      NUMBERS_ARE_BELIEVED,
      { file: 'topology/lineage.ts', find: 'sequence < replacedBy.sequence', replace: 'sequence < 0' },
      { file: 'topology/lineage.ts', find: 'if (sequence < highest)', replace: 'if (!PLANTED && sequence < highest)' },
      {
        file: 'decisions/rejoin.ts',
        find: 'view.sequence < Math.max(view.highest, node.highest)',
        replace: 'view.sequence < 0',
      },
      { file: 'decisions/rejoin.ts', find: 'view.sequence > 0', replace: 'view.sequence < 0' },
      { file: 'decisions/confirming.ts', find: 'view.sequence < seenAt(node, view)', replace: 'view.sequence < 0' },
      { file: 'controller/outbox.ts', find: 'before.sequence < (want.least ?? 0)', replace: 'before.sequence < 0' },
      { file: 'controller/watching.ts', find: 'told.sequence < watch.highest', replace: 'told.sequence < 0' },
    ],
    scenario: 'old-master-returns-emptied-or-rolled-back',
    promise: 'who follows holds what its master was',
    seeds: 12,
  },
  {
    name: 'a sibling beyond P stays attached',
    edits: [
      { file: 'decisions/failover.ts', find: 'view.sequence <= limit', replace: 'view.sequence <= limit + 1e9' },
      {
        file: 'decisions/rejoin.ts',
        find: "unfit === 'beyond'",
        replace: 'node.highest < 0',
      },
      {
        file: 'decisions/telling.ts',
        find: 'unfitForAttach(world, shard, node, view) !== undefined',
        replace: 'node.highest < 0',
      },
      {
        file: 'controller/outbox.ts',
        find: 'before.sequence > (want.most ?? Number.POSITIVE_INFINITY)',
        replace: 'false',
      },
    ],
    scenario: 'sibling-ahead-of-the-promoted',
    promise: 'who follows holds what its master was',
    seeds: 12,
  },
  {
    name: 'a returning master is read before it is fenced',
    edits: [
      NUMBERS_ARE_BELIEVED,
      // What it is asked meanwhile takes long enough for its number to be seen to rise.
      { file: 'decisions/way-back.ts', find: 'view.process !== null', replace: 'view.sequence >= 0' },
      {
        file: 'decisions/way-back.ts',
        find: '(view.fenced?.sequence ?? view.sequence)',
        replace: 'view.sequence',
      },
      {
        file: 'decisions/way-back.ts',
        find: "view.says === 'master' && view.fenced === null",
        replace: 'view.sequence < 0',
      },
      {
        file: 'decisions/way-back.ts',
        find: "view.says === 'slave' || view.fenceHolds",
        replace: 'view.sequence >= 0',
      },
      {
        file: 'controller/outbox.ts',
        find: "before.role === 'slave' || before.sequence === 0 || line.fencedAt !== undefined",
        replace: 'before.sequence >= 0',
      },
      { file: 'decisions/rejoin.ts', find: 'view.sequence === 0 || view.fenceHolds', replace: 'view.sequence >= 0' },
      {
        file: 'controller/outbox.ts',
        find: 'before.sequence > (want.most ?? Number.POSITIVE_INFINITY)',
        replace: 'false',
      },
    ],
    scenario: 'old-master-written-to-by-a-stale-client-while-it-is-being-read',
    promise: 'who follows holds what its master was',
    seeds: 12,
  },
  {
    name: 'attached without a guard',
    edits: [
      NUMBERS_ARE_BELIEVED,
      {
        file: 'controller/outbox.ts',
        find: "before.role === 'slave' || before.sequence === 0 || line.fencedAt !== undefined",
        replace: 'before.sequence >= 0',
      },
      {
        file: 'decisions/way-back.ts',
        find: "view.says === 'slave' || view.fenceHolds",
        replace: 'view.sequence >= 0',
      },
      { file: 'decisions/rejoin.ts', find: 'view.sequence === 0 || view.fenceHolds', replace: 'view.sequence >= 0' },
      {
        file: 'controller/outbox.ts',
        find: 'before.sequence > (want.most ?? Number.POSITIVE_INFINITY)',
        replace: 'false',
      },
    ],
    scenario: 'fenced-master-loses-power-before-the-attach',
    promise: 'who follows holds what its master was',
    seeds: 24,
  },
  {
    name: 'a repeated answer raises the exact P',
    edits: [
      {
        file: 'controller/watching.ts',
        find: "want.purpose === 'promote' && told.before === 'slave'",
        replace: "want.purpose === 'promote'",
      },
    ],
    scenario: 'promotion-told-twice',
    promise: 'no acknowledged write is lost',
    seeds: 12,
  },
  {
    name: 'a slave is fenced',
    edits: [
      {
        file: 'decisions/telling.ts',
        find: "view.says === 'master' ? 'says-master' : fencedAsSlave(world, shard, node) ? 'none' : undefined",
        replace: "view.says === 'master' ? 'says-master' : 'none'",
      },
    ],
    scenario: 'sibling-ahead-of-the-promoted',
    promise: 'only masters are fenced',
    seeds: 12,
  },
  {
    name: 'a foreign topology above ours is overwritten',
    edits: [{ file: 'decisions/drift.ts', find: "found.kind === 'foreign' && !overwrite", replace: 'found.seen < 0' }],
    scenario: 'old-master-returns-with-foreign-topology',
    promise: 'the scenario',
    seeds: 4,
  },
  {
    name: 'what a node alone held is saved without its commands',
    edits: [{ file: 'controller/salvage-format.ts', find: '[first, ...told]', replace: '[first]' }],
    scenario: 'old-master-wrote-while-isolated',
    promise: 'what is copied over is saved first',
    seeds: 4,
  },
  {
    name: 'a copy is believed without its proof',
    edits: [
      {
        file: 'controller/copy-jobs.ts',
        find: "there ? 'not-whole' : same ? 'whole' : 'restarted'",
        replace: "'whole'",
      },
    ],
    scenario: 'full-copy-outrun-by-its-master',
    promise: 'replicas are copies',
    seeds: 4,
  },
  {
    name: 'a number is not raised far enough',
    edits: [
      {
        file: 'controller/copy-jobs.ts',
        find: 'const goal = (await sequenceOf(master)) + margin;',
        replace: 'const goal = (await sequenceOf(master)) + (PLANTED ? 0 : margin);',
      },
      { file: 'controller/copy-jobs.ts', find: 'to - masterAt > (margin * 3) / 4', replace: 'to >= 0' },
      {
        file: 'controller/copy-jobs.ts',
        find: "there ? 'not-whole' : same ? 'whole' : 'restarted'",
        replace: "'whole'",
      },
    ],
    scenario: 'full-copy-forced-and-proven',
    promise: 'the scenario',
    seeds: 2,
  },
  {
    name: 'a forced copy believed in a process that was started since',
    edits: [
      {
        file: 'decisions/seen.ts',
        find: 'process !== null && sameProcess(proof.process, process) ? proof : null',
        replace: 'proof',
      },
      {
        file: 'decisions/seen.ts',
        find: 'view.process !== null && !sameProcess(proof.process, view.process)',
        replace: 'false',
      },
    ],
    scenario: 'node-loses-power-while-it-is-copied',
    promise: 'no acknowledged write is lost',
    seeds: 60,
  },
];
