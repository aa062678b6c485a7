import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { entry } from '../decisions/testing.ts';
import type { LineageEntry, Node, Proof, Shard } from './cluster.ts';
import { type MayFollow, mayFollow } from './lineage.ts';

function shardOf(...lineage: LineageEntry[]): Shard {
  return {
    id: 's0',
    master: lineage.at(-1)?.master ?? '',
    nodes: [],
    slots: [],
    lineage,
    floor: 0,
    eligibleFrom: 0,
    damping: null,
    dataLost: null,
  };
}

/** `a` made way for `b` at 1,000, and `b` for `c` at 2,000. */
const once = shardOf(entry(1, 'a', 0), entry(5, 'b', 1_000));
const twice = shardOf(entry(1, 'a', 0), entry(5, 'b', 1_000), entry(9, 'c', 2_000));

const proven = (version: number, how: Proof['how'] = 'within'): Proof => ({ entry: version, how });
const node = (id: string, proof: Proof | null): Pick<Node, 'id' | 'proof'> => ({ id, proof });
const why = (got: MayFollow) => (got.may ? got.how : `${got.why} by ${got.by}`);

test('a replica proven before the promotion follows up to P', () => {
  const replica = node('r', proven(1));
  assert.deepEqual(mayFollow(once, replica, 1_000, 1_000), { may: true, how: 'within', limit: 1_000 });
  assert.equal(why(mayFollow(once, replica, 1, 1)), 'within');
});

test('a sibling beyond P has diverged, by what it has beyond', () => {
  assert.equal(why(mayFollow(once, node('r', proven(1)), 1_020, 1_020)), 'diverged by 20');
});

test('a replica proven under the present master has no limit', () => {
  assert.equal(why(mayFollow(once, node('r', proven(5)), 99_999, 99_999)), 'within');
});

test('the old master follows at exactly P, and at no other number', () => {
  const old = node('a', proven(1, 'master'));
  assert.equal(why(mayFollow(once, old, 1_000, 1_000)), 'within');
  assert.equal(why(mayFollow(once, old, 1_020, 1_020)), 'diverged by 20');
  assert.equal(why(mayFollow(once, old, 990, 990)), 'fell-back by 10');
});

test('the old master below P and below its own highest: it has lost something, whatever it wrote since', () => {
  assert.equal(why(mayFollow(once, node('a', proven(1, 'master')), 990, 1_000)), 'below-highest by 10');
});

test('an old master that was replaced two promotions ago is held to the first of them', () => {
  const old = node('a', proven(1, 'master'));
  assert.equal(why(mayFollow(twice, old, 1_000, 1_000)), 'within');
  // Below the last P, beyond the earlier one: no prefix, though its number says so.
  assert.equal(why(mayFollow(twice, old, 1_500, 1_500)), 'diverged by 500');
});

test('a later promotion at a smaller number is the limit: a forced failover went back behind it', () => {
  const back = shardOf(entry(1, 'a', 0), entry(5, 'b', 1_000), entry(9, 'c', 600));
  assert.equal(why(mayFollow(back, node('r', proven(1)), 700, 700)), 'diverged by 100');
  assert.equal(why(mayFollow(back, node('a', proven(1, 'master')), 1_000, 1_000)), 'diverged by 400');
});

test('a replica that was proven under the second promotion is not bound by the first', () => {
  assert.equal(why(mayFollow(twice, node('r', proven(5)), 1_900, 1_900)), 'within');
  assert.equal(why(mayFollow(twice, node('r', proven(5)), 2_001, 2_001)), 'diverged by 1');
});

test('a master that led, was replaced, followed again and was proven anew is a replica like others', () => {
  const old = node('a', proven(5));
  assert.equal(why(mayFollow(twice, old, 1_500, 1_500)), 'within');
});

test('the unproven follow only with nothing', () => {
  assert.equal(why(mayFollow(once, node('r', null), 1, 1)), 'unproven by 1');
  assert.equal(why(mayFollow(once, node('r', null), 0, 0)), 'empty');
});

test('at sequence 0 anybody follows, whatever it once was', () => {
  assert.equal(why(mayFollow(twice, node('a', proven(1, 'master')), 0, 5_000)), 'empty');
});

test('a proof by an entry that the lineage does not have proves nothing', () => {
  assert.equal(why(mayFollow(once, node('r', proven(3)), 1, 1)), 'unproven by 1');
});

test('below its own highest sequence a replica has lost something', () => {
  assert.equal(why(mayFollow(once, node('r', proven(1)), 800, 900)), 'below-highest by 100');
});

/**
 * A shard's real history: records named by who wrote them. A promotion cuts the truth to what the new master had, and
 * everybody else keeps what it has. What the rule sees is only numbers; what must hold is that whoever may follow holds
 * a prefix of the new master's records.
 */
interface Peer {
  readonly id: string;
  records: string[];
  proof: Proof | null;
  highest: number;
  follows: boolean;
}

type Step =
  | { readonly do: 'write'; readonly records: number }
  | { readonly do: 'copy'; readonly to: number; readonly records: number }
  | { readonly do: 'promote'; readonly who: number }
  /** A master that nobody told goes on taking writes of its own. */
  | { readonly do: 'stray'; readonly who: number; readonly records: number }
  | { readonly do: 'lose'; readonly who: number; readonly records: number }
  | { readonly do: 'return'; readonly who: number };

const few = fc.integer({ min: 1, max: 4 });
const who = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('write' as const), records: few }),
  fc.record({ do: fc.constant('copy' as const), to: who, records: few }),
  fc.record({ do: fc.constant('promote' as const), who }),
  fc.record({ do: fc.constant('stray' as const), who, records: few }),
  fc.record({ do: fc.constant('lose' as const), who, records: few }),
  fc.record({ do: fc.constant('return' as const), who }),
);

const isPrefix = (of: readonly string[], part: readonly string[]) => part.every((record, i) => of[i] === record);

interface History {
  readonly peers: Peer[];
  lineage: LineageEntry[];
  master: Peer;
  written: number;
}

function write(history: History, peer: Peer, records: number): void {
  for (let i = 0; i < records; i++) peer.records.push(`${peer.id}${history.written++}`);
  peer.highest = Math.max(peer.highest, peer.records.length);
}

/** What a node that is let in does then: PSYNC goes on after its own number. */
function comeBack(history: History, peer: Peer): void {
  const newest = history.lineage.at(-1);
  if (peer === history.master || peer.follows || newest === undefined) return;
  const verdict = mayFollow(shardOf(...history.lineage), peer, peer.records.length, peer.highest);
  if (!verdict.may) return;
  assert.ok(
    isPrefix(history.master.records, peer.records),
    `${peer.id} with ${peer.records.join(' ')} was let behind ${history.master.records.join(' ')}`,
  );
  peer.follows = true;
  peer.proof = { entry: newest.version, how: verdict.how };
  peer.highest = peer.records.length;
}

function play(history: History, one: Step): void {
  const peer = history.peers['who' in one ? one.who : 'to' in one ? one.to : 0] ?? history.master;
  switch (one.do) {
    case 'write':
      write(history, history.master, one.records);
      return;
    case 'copy':
      if (!peer.follows) return;
      peer.records.push(...history.master.records.slice(peer.records.length, peer.records.length + one.records));
      peer.highest = Math.max(peer.highest, peer.records.length);
      return;
    case 'promote': {
      if (!peer.follows) return;
      const version = (history.lineage.at(-1)?.version ?? 0) + 1;
      history.lineage = [...history.lineage, entry(version, peer.id, peer.records.length)];
      for (const other of history.peers) other.follows = false;
      history.master = peer;
      peer.proof = { entry: version, how: 'master' };
      return;
    }
    case 'stray': {
      // Only one that led once can be a master that was left behind.
      const led = history.lineage.some((old) => old.master === peer.id && old.version === peer.proof?.entry);
      if (peer !== history.master && !peer.follows && led) write(history, peer, one.records);
      return;
    }
    case 'lose':
      // A disk that came back older. Seen below its highest, it is unproven from then on, whatever it writes later.
      if (peer === history.master || peer.follows) return;
      peer.records.splice(Math.max(0, peer.records.length - one.records));
      if (peer.records.length < peer.highest) peer.proof = null;
      return;
    case 'return':
      comeBack(history, peer);
      return;
  }
}

test('whoever may follow holds a prefix of the master’s records, in any history of promotions, strays and losses', () => {
  let returns = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), (steps) => {
      const peers = ['a', 'b', 'c'].map(
        (id): Peer => ({ id, records: [], proof: null, highest: 0, follows: id !== 'a' }),
      );
      const [first, ...rest] = peers;
      if (first === undefined) return;
      first.proof = { entry: 1, how: 'master' };
      for (const peer of rest) peer.proof = { entry: 1, how: 'empty' };
      const history: History = { peers, lineage: [entry(1, 'a', 0)], master: first, written: 0 };
      for (const one of steps) {
        const before = peers.filter((peer) => peer.follows).length;
        play(history, one);
        if (one.do === 'return' && peers.filter((peer) => peer.follows).length > before) returns++;
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(returns > 50, 'the rule lets enough nodes back for this to mean something');
});
