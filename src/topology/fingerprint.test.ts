import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseClusterNodes } from '../kvrocks/commands/cluster-nodes.ts';
import { fingerprint, fingerprintOf, linesOf, type TopologyLine } from './fingerprint.ts';
import { formatRange, slotSet, subtract } from './slots.ts';

const hosts = fc.constantFrom('10.0.0.1', 'kv-1.internal', '::1');
const line = fc.record({
  id: fc.stringMatching(/^[a-f]{40}$/),
  host: hosts,
  port: fc.integer({ min: 1, max: 65_535 }),
  master: fc.option(fc.stringMatching(/^[a-f]{40}$/)),
  ranges: fc.array(fc.tuple(fc.nat(16_383), fc.nat(16_383)), { maxLength: 4 }),
});
const topology: fc.Arbitrary<readonly TopologyLine[]> = fc
  .uniqueArray(line, { selector: (one) => one.id, minLength: 1, maxLength: 6 })
  .map((lines) =>
    lines.map(({ id, host, port, master, ranges }) => ({
      id,
      host,
      port,
      master,
      slots: master === null ? slotSet(ranges.map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }))) : [],
    })),
  );

const words = ({ slots }: TopologyLine) => slots.map((range) => ` ${formatRange(range)}`).join('');

const told = (lines: readonly TopologyLine[]): string =>
  lines
    .map(
      (one) =>
        `${one.id} ${one.host} ${one.port} ${one.master === null ? 'master -' : `slave ${one.master}`}${words(one)}`,
    )
    .join('\n');

/** As a node prints it: own mark, time stamps, version, connected. */
const printed = (lines: readonly TopologyLine[]): string =>
  `${lines
    .map((one, i) => {
      const role = one.master === null ? 'master' : 'slave';
      const flags = i === 0 ? `myself,${role}` : role;
      return `${one.id} ${one.host}:${one.port}@${one.port + 10_000} ${flags} ${one.master ?? '-'} 1795466809 1795466809 7 connected${words(one)}`;
    })
    .join('\n')}\n`;

/** What is read back from CLUSTER NODES, as the outbox turns it into lines. */
function readBack(text: string): string {
  const got = parseClusterNodes(text);
  assert.equal(got.kind, 'reply');
  if (got.kind !== 'reply') return '';
  return fingerprintOf(
    [...got.value.nodes.values()].map(({ id, host, port, masterId, slots }) => ({
      id,
      host,
      port,
      master: masterId ?? null,
      slots: slotSet(slots.map(({ first, last }) => ({ from: first, to: last }))),
    })),
  );
}

test('the text that was told and the lines that are read back look the same, in whatever order', () => {
  fc.assert(
    fc.property(
      topology.chain((lines) =>
        fc.tuple(fc.constant(lines), fc.shuffledSubarray([...lines], { minLength: lines.length })),
      ),
      ([lines, shuffled]) => {
        assert.deepEqual(new Set(linesOf(told(lines)).map((one) => one.id)), new Set(lines.map((one) => one.id)));
        assert.equal(fingerprint(told(lines)), fingerprint(told(shuffled)));
        assert.equal(fingerprint(told(lines)), readBack(printed(shuffled)));
      },
    ),
  );
});

test('one slot, one role, one address or one node less look different', () => {
  fc.assert(
    fc.property(topology, (lines) => {
      const [first, ...rest] = lines;
      if (first === undefined) return;
      const whole = fingerprintOf(lines);
      const slots = first.slots[0];
      const others: TopologyLine[] = [
        { ...first, port: first.port === 1 ? 2 : 1 },
        { ...first, master: first.master === null ? 'f'.repeat(40) : null },
        { ...first, host: `${first.host}0` },
      ];
      if (slots !== undefined)
        others.push({ ...first, slots: subtract(first.slots, [{ from: slots.from, to: slots.from }]) });
      for (const other of others) assert.notEqual(fingerprintOf([other, ...rest]), whole);
      assert.notEqual(fingerprintOf(rest), whole);
    }),
  );
});
