import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Save, Saved } from '../decisions/jobs.ts';
import type { LogEntry, LoggedCommand } from '../kvrocks/commands/poll-updates.ts';
import { JobFailed } from './log-reader.ts';
import { MemoryShelf } from './memory-shelf.ts';
import { readHead, readLine, readTail, type SalvageHead, type SalvageLine } from './salvage-format.ts';
import { saveAlone } from './salvage-save.ts';
import { type Log, logOf, logSource } from './testing-logs.ts';

const HEAD: SalvageHead = {
  format: 1,
  namespace: 'ns',
  cluster: 'c1',
  shard: 's0',
  node: 'node',
  master: 'master',
  parted_at: 3,
  lineage: [{ version: 1, master: 'node', sequence: 0, exact: true }],
  saved_at: 1_795_000_000_000,
  encoding: 'latin1',
};

const JOB: Save = {
  kind: 'save',
  upTo: null,
  node: { id: 'node', address: { host: '10.0.0.1', port: 1 } },
  master: { id: 'master', address: { host: '10.0.0.2', port: 1 } },
  entry: 1,
  run: 1,
  shard: 's0',
  lineage: HEAD.lineage,
  from: 3,
  after: null,
  seal: '',
  partly: false,
};

/** Told as `SET <bytes> 1`. */
const told = ({ bytes }: LogEntry): readonly LoggedCommand[] => [{ namespace: 'default', args: ['SET', bytes, '1'] }];
const log = (words: readonly string[], first = 1): Log => ({ ...logOf(words, first), told });
const MASTER = log(['a', 'b', 'c', 'd', 'e']);

async function save(node: Log, job: Partial<Save> = {}, master = MASTER, shelf = new MemoryShelf()) {
  const source = logSource(node);
  const sources = { node: source, master: logSource(master), shelf, progress: () => {} };
  const saved = await saveAlone(sources, { ...JOB, ...job }, HEAD);
  return { saved, shelf, singles: source.singles };
}

const fileOf = (saved: Saved, shelf: MemoryShelf): string[] => {
  const name = saved.kind === 'saved' ? saved.file : null;
  return (shelf.files.get(`ns/c1/${name}`) ?? assert.fail('no file')).trimEnd().split('\n');
};
const lines = (saved: Saved, shelf: MemoryShelf): SalvageLine[] => fileOf(saved, shelf).slice(1).map(readLine);
const commands = (saved: Saved, shelf: MemoryShelf): string[] =>
  lines(saved, shelf).flatMap((line) => (line.kind === 'command' ? [line.command.args.join(' ')] : []));

test('what the node alone holds is in the file: its head, each entry before its commands, and how much it is', async () => {
  const { saved, shelf } = await save(log(['a', 'b', 'x', 'y+2']));
  assert.deepEqual(saved, {
    ...saved,
    kind: 'saved',
    to: 5,
    file: 'node-3-5.jsonl',
    first: 3,
    records: 3,
    commands: 2,
  });
  const [head = '', ...rest] = fileOf(saved, shelf);
  assert.deepEqual(readHead(head), HEAD);
  assert.deepEqual(
    rest
      .map((line) => readLine(line))
      .map((line) => (line.kind === 'entry' ? [line.entry.sequence, line.entry.count] : line.kind)),
    [[3, 1], 'command', [4, 2], 'command', 'tail'],
  );
  assert.deepEqual(readTail(rest.at(-1) ?? ''), { end: true, first: 3, last: 5, records: 3, commands: 2, all: true });
  assert.deepEqual(commands(saved, shelf), ['SET x 1', 'SET y 1']);
});

test('an entry that its master has at the same place is not its alone', async () => {
  const { saved, shelf } = await save(log(['a', 'b', 'x', 'd', 'y']));
  assert.deepEqual(commands(saved, shelf), ['SET x 1', 'SET y 1']);
});

test('its master’s log does not reach so far back: all of it is saved', async () => {
  const { saved, shelf } = await save(log(['a', 'b', 'x', 'd']), {}, log(['z'], 900));
  assert.deepEqual(commands(saved, shelf), ['SET x 1', 'SET d 1']);
});

test('published to without end behind its fence: saved up to where it was fenced', async () => {
  const { saved, shelf } = await save(log(['a', 'b', 'x', 'y', 'p', 'p']), { upTo: 4 });
  assert.equal(saved.kind === 'saved' && saved.to, 4);
  assert.deepEqual(commands(saved, shelf), ['SET x 1', 'SET y 1']);
});

test('nothing that is its alone: no file', async () => {
  const { saved, shelf } = await save(log(['a', 'b', 'c', 'd']));
  assert.deepEqual([saved.kind === 'saved' && saved.file, saved.kind === 'saved' && saved.to], [null, 4]);
  assert.equal(shelf.files.size, 0);
});

test('its log does not reach back to where it parted: refused, unless what there is is wanted all the same', async () => {
  const late = log(['y', 'z'], 5);
  const { saved } = await save(late);
  assert.deepEqual(saved, { kind: 'refused', why: 'its log begins only at sequence 5, and it parted at 3' });
  const partly = await save(late, { partly: true });
  assert.equal(partly.saved.kind === 'saved' && partly.saved.all, false);
  assert.deepEqual(commands(partly.saved, partly.shelf), ['SET y 1', 'SET z 1']);
});

test('nobody knows where it parted: whatever its log still has and its master’s has not', async () => {
  const { saved, shelf } = await save(log(['b', 'x'], 2), { from: null, partly: true });
  assert.deepEqual(commands(saved, shelf), ['SET x 1']);
  assert.equal(saved.kind === 'saved' && saved.all, false);
});

test('saved before: only what came behind it; and if that was written anew, all of it', async () => {
  const first = await save(log(['a', 'b', 'x', 'y']));
  assert.ok(first.saved.kind === 'saved');
  const { seal, to } = first.saved;
  const more = await save(log(['a', 'b', 'x', 'y', 'z']), { after: to, seal });
  assert.deepEqual(commands(more.saved, more.shelf), ['SET z 1']);
  const anew = await save(log(['a', 'b', 'p', 'q', 'z']), { after: to, seal });
  assert.deepEqual(commands(anew.saved, anew.shelf), ['SET p 1', 'SET q 1', 'SET z 1']);
  const same = await save(log(['a', 'b', 'x', 'y']), { after: to, seal });
  assert.deepEqual(same.saved, { ...same.saved, kind: 'saved', to: 4, file: null, seal });
});

test('the disk is full: refused in its words, and nothing is left behind', async () => {
  const shelf = new MemoryShelf();
  shelf.failsWith = 'ENOSPC: no space left on device';
  const { saved } = await save(log(['a', 'b', 'x']), {}, MASTER, shelf);
  assert.deepEqual(saved, { kind: 'refused', why: 'ENOSPC: no space left on device', mayPass: true });
  assert.equal(shelf.files.size, 0);
});

test('a server that does not tell its log: refused', async () => {
  const { saved } = await save({ ...log(['a']), unsupported: true });
  assert.deepEqual(saved, { kind: 'refused', why: 'its server does not tell its log' });
});

test('what cannot be told as a command is kept as it is', async () => {
  const { saved, shelf } = await save({
    ...log(['a', 'b', 'x', 'y']),
    told: (entry) => (entry.bytes === 'x' ? [] : told(entry)),
  });
  assert.deepEqual(commands(saved, shelf), ['SET y 1']);
  const entries = lines(saved, shelf).flatMap((line) => (line.kind === 'entry' ? [line.entry.commands] : []));
  assert.deepEqual(entries, [0, 1]);
});

test('a log that ends before the place where it parted holds nothing alone', async () => {
  const { saved } = await save(log(['a']));
  assert.equal(saved.kind === 'saved' && saved.file, null);
});

test('texts of any bytes come back as they were', async () => {
  const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('');
  const { saved, shelf } = await save({
    ...log(['a', 'b', 'x']),
    told: () => [{ namespace: 'other', args: ['SET', bytes, bytes] }],
  });
  const command = lines(saved, shelf).find((line) => line.kind === 'command');
  assert.deepEqual(command, { kind: 'command', command: { namespace: 'other', args: ['SET', bytes, bytes] } });
});

test('a node that falls back while it is read: given up, no file', async () => {
  const shelf = new MemoryShelf();
  const node = logSource(log(['a', 'b', 'x', 'y']), 1);
  let reads = 0;
  const falling = {
    ...node,
    entries: (after: number, most?: number, lax?: boolean) =>
      ++reads > 3 ? Promise.resolve({ kind: 'beyond-the-end' } as const) : node.entries(after, most, lax),
  };
  const sources = { node: falling, master: logSource(MASTER), shelf, progress: () => {} };
  await assert.rejects(saveAlone(sources, JOB, HEAD), JobFailed);
  assert.equal(shelf.files.size, 0);
});
