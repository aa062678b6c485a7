import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Intended, Operation } from '../operations/intended.ts';
import { Secret } from '../runtime/secret.ts';
import { seededRandom } from '../runtime/seeded-random.ts';
import { type Cluster, faultsOf, type LineageEntry, type Node, type Shard } from '../topology/cluster.ts';
import { ALL_SLOTS, splitEvenly } from '../topology/slots.ts';
import { decode, encode, eventKey, parseKey, stateKey, topologyKey } from './records.ts';

const random = seededRandom(1);
const read = (topology: string, state?: string) => decode('ns', topology, state, random);

function intendedOf(topology: string, state?: string): Intended {
  const got = read(topology, state);
  assert.ok(got.ok, got.ok ? '' : got.why);
  return got.intended;
}

function refusal(topology: string, state?: string): string {
  const got = read(topology, state);
  assert.equal(got.ok, false, 'it was read');
  return got.ok ? '' : got.why;
}

const count = fc.nat(1_000_000);
const word = fc.string({ maxLength: 12 });
const id = fc.stringMatching(/^[a-z0-9]{6}$/);
const how = fc.constantFrom('master', 'empty', 'within', 'copied', 'log', 'trust');
const process = fc.record({ id: count, startedAt: count });
const proof = fc.option(fc.record({ entry: count, how, process }, { requiredKeys: ['entry', 'how'] }));
const attaching = fc.option(fc.constantFrom('empty', 'within', 'log', 'copied'));
const address = fc.record({
  host: fc.constantFrom('10.0.0.1', '::1', 'kv-1.internal'),
  port: fc.integer({ min: 1, max: 65_535 }),
});
const range = fc.tuple(fc.nat(16_383), fc.nat(16_383)).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));

const node: fc.Arbitrary<Node> = fc.record({
  id,
  address,
  createdAt: count,
  membership: fc.constantFrom('member', 'away'),
  highest: count,
  proof,
  attaching,
  priority: fc.nat(1_000),
  noFailover: fc.boolean(),
  cutOff: fc.boolean(),
  copy: fc.option(
    fc.record({
      marker: word,
      partedAt: fc.option(count),
      under: count,
      saved: fc.option(count),
      seal: word,
      force: fc.boolean(),
      by: word,
      failures: count,
      process: fc.option(process),
    }),
  ),
});

const shardParts = fc.record({
  id: fc.stringMatching(/^sh-[a-z0-9]{12}$/),
  nodes: fc.array(node, { minLength: 1, maxLength: 4 }),
  lineage: fc.array(fc.record({ version: count, master: id, sequence: count, exact: fc.boolean() }), { maxLength: 3 }),
  floor: count,
  eligibleFrom: count,
  damping: fc.option(fc.record({ level: count })),
  dataLost: fc.option(count),
});

const common = { id, by: word, startedAt: count };
const operation: fc.Arbitrary<Operation> = fc.oneof(
  ...(['draining', 'swapping', 'restoring'] as const).map((phase) =>
    fc
      .record({ ...common, shard: id, from: id, to: id, version: count, final: count, because: word })
      .map(({ final, because, ...one }): Operation => {
        const base = { kind: 'switchover', ...one } as const;
        if (phase === 'draining') return { ...base, phase };
        return phase === 'swapping' ? { ...base, phase, final } : { ...base, phase, because };
      }),
  ),
  ...(['queued', 'migrating', 'settling', 'held', 'handing-over', 'failed'] as const).map((phase) =>
    fc
      .record({
        ...common,
        plan: fc.option(id),
        range,
        source: id,
        target: id,
        slotOnly: fc.boolean(),
        priority: fc.integer(),
        paused: fc.boolean(),
        slotsPerMove: fc.option(count),
        size: fc.option(count),
        pace: fc.option(fc.record({ slots: count, ms: count })),
        keys: fc.option(count),
        beganAt: fc.option(count),
        failures: count,
        tries: count,
        ending: fc.constantFrom('cancel', 'retry', null),
        returned: fc.option(range),
        left: range,
        piece: range,
        version: count,
        sourceNode: id,
        targetNode: id,
        goal: fc.option(count),
        why: word,
        noted: fc.option(
          fc.record({ success: fc.boolean(), process: fc.option(fc.record({ id: count, startedAt: count })) }),
        ),
        flag: fc.boolean(),
        after: fc.constantFrom('retry', 'fail', 'drop'),
      })
      .map(({ left, piece, version, sourceNode, targetNode, goal, why, noted, flag, after, ...one }): Operation => {
        const base = { kind: 'move', ...one } as const;
        const ends = { piece, sourceNode, targetNode };
        switch (phase) {
          case 'queued':
            return { ...base, phase, left, lastFailure: why };
          case 'migrating':
            return { ...base, ...ends, phase, left, noted, resumed: flag, since: version, endedAt: goal };
          case 'settling':
            return { ...base, ...ends, phase, left, version, why, after, unheard: flag, noted };
          case 'held':
            return { ...base, ...ends, phase, left, version, noted, why };
          case 'handing-over':
            return { ...base, ...ends, phase, left: flag ? left : null, version, goal, recovered: flag };
        }
        return { ...base, phase, left, why };
      }),
  ),
);

/** Any state of a cluster that may be committed. */
const intended: fc.Arbitrary<Intended> = fc
  .record({
    parts: fc.array(shardParts, { maxLength: 3 }),
    version: count,
    password: word,
    leaving: fc.array(fc.record({ id, address, version: count, how: fc.constantFrom('reset', 'release') }), {
      maxLength: 2,
    }),
    operations: fc.array(operation, { maxLength: 4 }),
    pause: fc.option(fc.record({ until: fc.option(count), by: word })),
    settings: fc.record(
      {
        tolerance: count,
        maxLag: count,
        noWitnessHold: count,
        diverged: fc.constantFrom('resync', 'fence'),
        concurrentMoves: fc.option(count),
        migrateSpeed: fc.option(count),
        migrateRateLimit: fc.option(count),
      },
      { requiredKeys: [] },
    ),
    tuned: fc.array(
      fc.record({
        node: id,
        name: fc.constantFrom('migrate-speed', 'migrate-batch-rate-limit-mb'),
        was: count,
        set: count,
        over: fc.option(count),
      }),
      { maxLength: 3 },
    ),
    nextEvent: count,
    ending: fc.boolean(),
  })
  .map(({ parts, version, password, leaving, ...rest }): Intended => {
    const slots = splitEvenly(Math.max(1, parts.length));
    const shards = parts.map(({ nodes, lineage, ...one }, i): Shard => {
      const [first, ...others] = nodes;
      const master = first?.id ?? '';
      const entry: LineageEntry = { version: 1, master, sequence: 0, exact: true };
      const member: Node[] = first === undefined ? [] : [{ ...first, membership: 'member' }];
      return { ...one, master, nodes: [...member, ...others], slots: slots[i] ?? [], lineage: [...lineage, entry] };
    });
    const cluster: Cluster = { namespace: 'ns', name: 'c1', version, password: new Secret(password), shards, leaving };
    return { cluster, ...rest };
  })
  .filter((one) => faultsOf(one.cluster).length === 0);

test('whatever is committed is read back the same', () => {
  fc.assert(
    fc.property(intended, (one) => {
      const { topology, state } = encode(one);
      const back = intendedOf(topology, state);
      assert.equal(back.cluster.password.reveal(), one.cluster.password.reveal());
      assert.deepEqual(
        { ...back, cluster: { ...back.cluster, password: null } },
        structuredClone({ ...one, cluster: { ...one.cluster, password: null } }),
      );
      assert.equal(encode(back).topology, topology);
      assert.deepEqual(JSON.parse(encode(back).state), JSON.parse(state));
    }),
    { numRuns: 200 },
  );
});

const goNode = (name: string, role: string, port: number) => ({
  id: name.repeat(40),
  addr: `127.0.0.1:${port}`,
  role,
  password: 'pw',
  created_at: 17,
});
const goShard = (facts: object = {}) => ({
  nodes: [goNode('a', 'master', 7000), goNode('b', 'slave', 7001)],
  slot_ranges: ['0-8191'],
  target_shard_index: -1,
  migrating_slot: null,
  ...facts,
});
const other = {
  ...goShard(),
  nodes: [goNode('c', 'master', 7002)],
  slot_ranges: ['8192-16383'],
};
const go = (facts: object = {}, whole: object = {}) =>
  JSON.stringify({ version: 3, name: 'c1', shards: [goShard(facts), other], ...whole });

test('a cluster of the Go controller is taken over: its version, nodes, slots and password, all trusted as at an import', () => {
  const { cluster, operations } = intendedOf(go());
  assert.deepEqual([cluster.version, cluster.name, cluster.password.reveal()], [3, 'c1', 'pw']);
  assert.deepEqual([operations, cluster.leaving], [[], []]);
  const [shard] = cluster.shards;
  assert.equal(shard?.master, 'a'.repeat(40));
  assert.deepEqual(
    shard?.nodes.map((one) => one.proof),
    [
      { entry: 3, how: 'master' },
      { entry: 3, how: 'trust' },
    ],
  );
  assert.match(shard?.id ?? '', /^sh-[A-Za-z0-9]{12}$/);
});

test('an idle slot to migrate: null, -1, or not there at all, as its releases write it', () => {
  for (const migrating_slot of [null, -1, undefined, '-1', '']) {
    assert.deepEqual(intendedOf(go({ migrating_slot })).operations, [], String(migrating_slot));
  }
});

test('a migration of the Go controller goes on: nobody is told anything before its outcome was found out', () => {
  for (const [migrating_slot, range] of [
    [5, { from: 5, to: 5 }],
    ['5', { from: 5, to: 5 }],
    ['5-9', { from: 5, to: 9 }],
  ] as const) {
    const { cluster, operations } = intendedOf(go({ migrating_slot, target_shard_index: 1 }));
    const [move] = operations;
    assert.ok(move?.kind === 'move' && move.phase === 'migrating');
    assert.deepEqual([move.range, move.sourceNode, move.targetNode], [range, 'a'.repeat(40), 'c'.repeat(40)]);
    assert.deepEqual([move.source, move.target], [cluster.shards[0]?.id, cluster.shards[1]?.id]);
  }
});

test('a migration to nowhere, to itself, or of slots that the shard does not own is none', () => {
  for (const facts of [
    { migrating_slot: 5, target_shard_index: 9 },
    { migrating_slot: 5, target_shard_index: 0 },
    { migrating_slot: 9_000, target_shard_index: 1 },
  ]) {
    assert.deepEqual(intendedOf(go(facts)).operations, []);
  }
});

test('shards without slots, and members that we do not know', () => {
  const { cluster } = intendedOf(go({ slot_ranges: null, import_slot: -1, colour: 'red' }, { flavour: 1 }));
  assert.deepEqual(cluster.shards[0]?.slots, []);
});

test('what we write the Go controller can read: roles, addresses, ranges, the moving range and its target', () => {
  const stored = encode(intendedOf(go({ migrating_slot: '5-9', target_shard_index: 1 })));
  assert.deepEqual(JSON.parse(stored.topology), JSON.parse(go({ migrating_slot: '5-9', target_shard_index: 1 })));
  const single = intendedOf(go({ slot_ranges: ['5'] }));
  assert.match(encode(single).topology, /"slot_ranges":\["5"\]/);
});

test('a topology that nobody can serve is set aside, and what is wrong with it is named', () => {
  const cases: readonly [string, RegExp][] = [
    ['', /its topology is no JSON/],
    ['[]', /its topology is no object/],
    ['{"name":"c1"}', /version is no whole number/],
    [go({}, { version: -3 }), /version is no whole number/],
    [go({}, { version: 1.5 }), /version is no whole number/],
    [go({}, { shards: 'none' }), /shards is no list/],
    [go({ nodes: [goNode('a', 'slave', 7000)] }), /shards\[0\] has no master/],
    [go({ nodes: [goNode('a', 'master', 7000), goNode('b', 'master', 7001)] }), /shards\[0\] has two masters/],
    [go({ nodes: [{ ...goNode('a', 'master', 7000), addr: 'nowhere' }] }), /nowhere is no address/],
    [go({ nodes: [{ ...goNode('a', 'master', 7000), id: 7 }] }), /shards\[0\]\.nodes\[0\]\.id is no text/],
    [go({ slot_ranges: ['9-5'] }), /slot_ranges\[0\] is no range of slots/],
    [go({ slot_ranges: ['0-9000'] }), /has another owner already/],
    [go({ migrating_slot: 'x', target_shard_index: 1 }), /migrating_slot is no range of slots/],
    [go({ nodes: [goNode('c', 'master', 7000)] }), /is listed twice/],
  ];
  for (const [topology, why] of cases) assert.match(refusal(topology), why);
});

const committed = () => encode(intendedOf(go()));
const stateWith = (facts: object): string => JSON.stringify({ ...JSON.parse(committed().state), ...facts });

test('a state of a newer release is refused by its number, not misread', () => {
  const { topology } = committed();
  assert.equal(
    refusal(topology, stateWith({ format: 4 })),
    'its state has format 4; this release knows formats up to 3',
  );
});

test('a topology that is older than our state: something else wrote one of them, and the newer one is gone', () => {
  assert.match(refusal(go({}, { version: 2 }), committed().state), /version 2 and its state of 3/);
});

const whileTheyLed = (facts: object, whole: object = {}, state = committed().state): Intended => {
  const got = read(go(facts, { version: 4, ...whole }), state);
  assert.ok(got.ok, got.ok ? '' : got.why);
  assert.equal(got.overtaken, true);
  return got.intended;
};

test('the Go controller led for a while and changed nothing that we judge: our state is kept', () => {
  const { shards } = whileTheyLed({}).cluster;
  assert.deepEqual(
    shards.map(({ lineage, nodes }) => [lineage, nodes.map((one) => one.proof)]),
    intendedOf(go()).cluster.shards.map(({ lineage, nodes }) => [lineage, nodes.map((one) => one.proof)]),
  );
});

test('the Go controller has failed over meanwhile: an entry from what we last knew, and everybody else must prove itself', () => {
  const stored = JSON.parse(committed().state);
  stored.shards[0].nodes['b'.repeat(40)].highest = 70;
  const nodes = [goNode('a', 'slave', 7000), goNode('b', 'master', 7001)];
  const [shard, second] = whileTheyLed({ nodes }, {}, JSON.stringify(stored)).cluster.shards;
  assert.equal(shard?.id, stored.shards[0].id);
  assert.deepEqual(shard?.lineage.at(-1), { version: 4, master: 'b'.repeat(40), sequence: 70, exact: false });
  assert.deepEqual(
    shard?.nodes.map((one) => one.membership),
    ['away', 'member'],
  );
  assert.equal(second?.id, stored.shards[1].id);
});

test('the Go controller has put shards into another order, and added one: each keeps the state of its nodes', () => {
  const added = { ...goShard(), nodes: [goNode('e', 'master', 7004), goNode('f', 'slave', 7005)], slot_ranges: [] };
  const { shards } = whileTheyLed({}, { shards: [added, other, goShard()] }).cluster;
  assert.deepEqual(
    shards.map((shard) => shard.nodes.map((one) => [one.membership, one.proof?.how])),
    [
      [
        ['member', 'master'],
        ['away', undefined],
      ],
      [['member', 'master']],
      [
        ['member', 'master'],
        ['member', 'trust'],
      ],
    ],
  );
});

test('the Go controller led while operations of ours were open: what had begun is over, what waits is kept', () => {
  const stored = JSON.parse(committed().state);
  const [source, target] = stored.shards.map(({ id }: { id: string }) => id);
  const move = {
    kind: 'move',
    id: 'mv-1',
    range: { from: 0, to: 5 },
    source,
    target,
    slotOnly: false,
    by: 'op',
    startedAt: 0,
    failures: 0,
    lastFailure: null,
    sourceNode: 'a'.repeat(40),
    targetNode: 'c'.repeat(40),
  };
  stored.operations = [
    { ...move, phase: 'queued' },
    { ...move, id: 'mv-2', phase: 'migrating' },
    { ...move, id: 'mv-3', phase: 'queued', range: { from: 9_000, to: 9_001 } },
  ];
  const { operations } = whileTheyLed({}, {}, JSON.stringify(stored));
  assert.deepEqual(
    operations.map(({ id }) => id),
    ['mv-1'],
  );
});

test('a state that makes no sense is named by the member that does not', () => {
  const { topology } = committed();
  const cases: readonly [object, RegExp][] = [
    [{ shards: [] }, /different numbers of shards/],
    [{ shards: [null, null] }, /state\.shards\[0\] is no object/],
    [{ operations: [{ kind: 'dance' }] }, /state\.operations\[0\]\.kind is none of switchover, move, plan/],
    [{ operations: [{ kind: 'move', phase: 'lost' }] }, /state\.operations\[0\]/],
    [{ leaving: 'x' }, /state\.leaving is no list/],
    [{ pause: true }, /state\.pause is no object/],
    [{ next_event: null }, /state\.next_event/],
    [{ ending: 'no' }, /state\.ending/],
    [{ password: 5 }, /password/],
  ];
  for (const [facts, why] of cases) assert.match(refusal(topology, stateWith(facts)), why);
});

test('members of a state that we do not know are passed over', () => {
  const { topology, state } = committed();
  const more = JSON.stringify({ ...JSON.parse(state), novelty: [1] });
  assert.equal(encode(intendedOf(topology, more)).state, state);
});

/** One value somewhere in a record is another one, or gone. */
function spoiled(record: string, at: number, by: unknown): string {
  const whole: unknown = JSON.parse(record);
  const places: { holder: Record<string, unknown>; key: string }[] = [];
  const walk = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return;
    const holder = value as Record<string, unknown>;
    for (const key of Object.keys(holder)) {
      places.push({ holder, key });
      walk(holder[key]);
    }
  };
  walk(whole);
  const place = places[at % places.length];
  if (place !== undefined) place.holder[place.key] = by;
  return JSON.stringify(whole);
}

const junk = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom(null, -1, '', [], {}, 1e300, '__proto__'));

test('whatever lies in the store, reading it never throws, and what is read can be committed', () => {
  const looked = (topology: string, state?: string) => {
    const got = read(topology, state);
    if (got.ok) assert.deepEqual(faultsOf(got.intended.cluster), []);
    else assert.equal(typeof got.why, 'string');
  };
  fc.assert(fc.property(fc.string(), fc.option(fc.string(), { nil: undefined }), looked));
  fc.assert(fc.property(fc.json(), fc.option(fc.json(), { nil: undefined }), looked));
  fc.assert(
    fc.property(intended, fc.nat(10_000), junk, fc.boolean(), (one, at, by, which) => {
      const { topology, state } = encode(one);
      if (which) looked(spoiled(topology, at, by), state);
      else looked(topology, spoiled(state, at, by));
    }),
    { numRuns: 300 },
  );
});

test('keys: the Go controller’s for topologies, our own prefix, which it never lists, for the rest', () => {
  assert.equal(topologyKey('ns', 'c1'), '/kvrocks/metadata/ns/cluster/c1');
  assert.deepEqual(parseKey(topologyKey('ns', 'c1')), { namespace: 'ns', cluster: 'c1' });
  assert.deepEqual(parseKey('/kvrocks/metadata/ns'), { namespace: 'ns' });
  for (const key of [
    '/kvrocks/metadata/',
    '/kvrocks/metadata/ns/old/c1',
    '/kvrocks/metadata/ns/cluster/',
    '/kvrocks/metadata/a/cluster/b/c',
    '/x',
  ])
    assert.equal(parseKey(key), undefined, key);
  assert.equal(stateKey('a/b', 'c%'), '/kvrocks/kvctl/cluster/a%2Fb/c%25');
});

test('events sort by their keys as by their numbers', () => {
  const numbers = [0, 9, 10, 1_795_466_809_123_456];
  const keys = numbers.map((one) => eventKey('ns', 'c1', one));
  assert.deepEqual([...keys].sort(), keys);
});

test('all slots of a cluster of one shard survive the round trip', () => {
  const one = intendedOf(JSON.stringify({ version: 1, name: 'c', shards: [goShard({ slot_ranges: ['0-16383'] })] }));
  assert.deepEqual(one.cluster.shards[0]?.slots, ALL_SLOTS);
});
