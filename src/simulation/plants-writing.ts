/** Planted: what is committed and told, by whom, and in which order. */
import type { Plant } from './planted.ts';

/** The check at the commit would hold back what is planted before it: here the watch from outside has to see it. */
const UNCHECKED = {
  file: 'checks/promises.ts',
  find: 'before === undefined',
  replace: 'before === undefined || broken.length === 0',
};

export const writingPlants: readonly Plant[] = [
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
    name: 'told before it is committed',
    edits: [
      {
        file: 'decisions/decide.ts',
        find: 'promotions(world, proposal)',
        replace: 'wants({ ...world, intended: proposal.next })',
      },
    ],
    scenario: 'master-killed',
    promise: 'committed before it is told',
    seeds: 1,
  },
  {
    name: 'a promotion waits for what else is to be committed',
    edits: [
      {
        file: 'decisions/decide.ts',
        find: "want.purpose === 'promote' && stays(want)",
        replace: 'stays(want) && world.now < 0',
      },
    ],
    scenario: 'masters-killed-one-after-the-other-on-a-slow-store',
    promise: 'the scenario',
    seeds: 3,
  },
  {
    name: 'topology and state are committed apart',
    edits: [
      {
        file: 'controller/commits.ts',
        find: '[...writes, ...told, ...evidence.writes]',
        replace: 'after.cluster.version > 1 ? [...writes.slice(1), ...told] : [...writes, ...told]',
      },
    ],
    scenario: 'master-killed',
    promise: 'topology and state are one commit',
    seeds: 1,
  },
  {
    name: 'a commit whose answer is lost is taken for done',
    edits: [
      {
        file: 'controller/commits.ts',
        find: 'return this.#findOut(records.state, after);',
        replace: "if (PLANTED) return { kind: 'written' }; return this.#findOut(records.state, after);",
      },
    ],
    scenario: 'leader-partitioned-from-the-store',
    promise: 'committed before it is told',
    seeds: 12,
  },
  {
    name: 'a commit whose answer is lost is taken for failed',
    edits: [
      {
        file: 'controller/commits.ts',
        find: "case 'unknown':",
        replace:
          "case 'unknown': if (PLANTED) return { kind: 'not-written', refusal: new Refusal('unavailable', 'no'), retryAfter: 0 };",
      },
    ],
    scenario: 'store-write-whose-answer-is-lost',
    promise: 'the scenario',
    seeds: 12,
  },
  {
    name: 'told without a lease',
    edits: [
      {
        file: 'controller/reign.ts',
        find: 'this.leadership.heldUntil() - runtime.clock.now() > LEASE_TO_SPARE',
        replace: 'runtime.clock.now() >= 0',
      },
    ],
    scenario: 'leader-hangs-and-wakes',
    promise: 'only the leader writes',
    seeds: 24,
  },
  {
    name: 'committed without a fence',
    edits: [{ file: 'store/memory/server.ts', find: 'this.#sessions[0]?.id !== fence', replace: "fence === ''" }],
    scenario: 'leader-hangs-and-wakes',
    promise: 'only the leader commits',
    seeds: 24,
  },
  {
    name: 'the id is told before the topology',
    edits: [
      {
        file: 'kvrocks/commands/set-nodes-in-one-breath.ts',
        find: 'told.push(setNodeIdArguments(id))',
        replace: 'told.unshift(setNodeIdArguments(id))',
      },
      {
        file: 'kvrocks/commands/set-nodes.ts',
        find: '[setNodesArguments(text, version), setNodeIdArguments(id)]',
        replace: '[setNodeIdArguments(id), setNodesArguments(text, version)]',
      },
    ],
    scenario: 'master-killed',
    promise: 'SETNODEID follows SETNODES',
    seeds: 1,
  },
  {
    name: 'the replica is told the drained version',
    edits: [
      {
        file: 'operations/intended.ts',
        find: "switchover?.phase === 'draining' && switchover.from !== node",
        replace: "switchover?.phase === 'draining' && switchover.from !== node && switchover.to !== node",
      },
    ],
    scenario: 'switchover-under-write-load',
    promise: 'a drained version is for the old master alone',
    seeds: 2,
  },
  {
    name: 'the swap does not wait for the replica',
    edits: [
      {
        file: 'decisions/switchovers.ts',
        find: 'trace.reached !== undefined && trace.reached >= drained.sequence',
        replace: 'drained.sequence >= 0',
      },
    ],
    scenario: 'switchover-behind-a-slow-link',
    promise: 'who follows holds what its master was',
    seeds: 12,
  },
  {
    name: 'a successor swaps',
    edits: [
      {
        file: 'operations/switchover.ts',
        find: "'controller-changed': 'restore'",
        replace: "get 'controller-changed'() { return PLANTED ? 'swap' : 'restore'; }",
      },
    ],
    scenario: 'switchover-controller-dies-after-the-drain',
    promise: 'the scenario',
    seeds: 8,
  },
  {
    name: 'the old master is told first at a swap',
    edits: [
      {
        file: 'decisions/telling.ts',
        find: 'if (node === open.to) return false;',
        replace:
          'if (PLANTED) return node !== open.from && !carries(world, { id: open.from }); if (node === open.to) return false;',
      },
    ],
    scenario: 'switchover-under-write-load',
    promise: 'a switchover tells its master first',
    seeds: 2,
  },
  {
    name: 'a restoration is told to the replica first',
    edits: [
      {
        file: 'decisions/telling.ts',
        find: 'node !== open.from && !carries(world, { id: open.from })',
        replace: 'node === open.from && !carries(world, { id: open.to })',
      },
    ],
    scenario: 'switchover-controller-dies-after-the-drain',
    promise: 'a switchover tells its master first',
    seeds: 8,
  },
  {
    name: 'the ends of a running move are told',
    edits: [
      {
        file: 'operations/intended.ts',
        find: "if (move.phase !== 'migrating') continue;",
        replace: "if (PLANTED || move.phase !== 'migrating') continue;",
      },
    ],
    scenario: 'version-raised-while-a-move-runs',
    promise: 'the ends of a running move hear nothing',
    seeds: 12,
  },
  {
    name: 'a removed node is emptied before it is told',
    edits: [
      { file: 'decisions/leaving.ts', find: 'released(world, node)', replace: 'node.version >= 0' },
      {
        file: 'decisions/telling.ts',
        find: 'const text = releasingText(intended.cluster, node);',
        replace: 'if (PLANTED) return undefined; const text = releasingText(intended.cluster, node);',
      },
    ],
    scenario: 'remove-node-and-empty-it',
    promise: 'only the fenced are emptied',
    seeds: 8,
  },
];
