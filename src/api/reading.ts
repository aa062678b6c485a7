/** From what a request says to what the controller takes. Throws `invalid`, naming the member. */
import type { IncomingHttpHeaders } from 'node:http';
import { type Static, Type } from 'typebox';
import type { NodeChecks, ShardRef, WriteOptions } from '../controller/control-plane.ts';
import { invalid } from '../controller/refusal.ts';
import { Secret } from '../runtime/secret.ts';
import { type Address, formatAddress, parseAddress } from '../topology/address.ts';
import { parseRange, SLOT_COUNT, type SlotRange } from '../topology/slots.ts';
import { objectReader, refuseMember } from './members.ts';
import { type FlagAsked, type ShardAsked, type SlotsAsked, WriteMembers } from './requests.ts';
import { ADDRESS_TEXT, NODES_TEXT, SHARD_TEXT, SLOT_TEXT, WAIT_TEXT } from './schema-text.ts';

/** The parts of a request that every write reads. */
export interface Asked {
  readonly headers: IncomingHttpHeaders;
  readonly query: unknown;
  readonly body?: unknown;
  /** The peer's address. */
  readonly ip: string;
  readonly params: unknown;
}

const flag = (asked: FlagAsked | undefined): boolean | undefined =>
  asked === undefined ? undefined : asked === true || asked === 'true';

const Options = Type.Object({ ...WriteMembers, reset: WriteMembers.force });
const readOptions = objectReader(Options, 'options');
type OptionMembers = Static<typeof Options>;

function members(part: unknown): OptionMembers {
  if (part === undefined || part === null) return {};
  const read = readOptions(part);
  if (!read.ok) throw read.refusal;
  return read.value;
}

/** The query's word counts before the body's. */
function flagOf(request: Asked, name: 'force' | 'dry_run' | 'reset'): boolean | undefined {
  return flag(members(request.query)[name]) ?? flag(members(request.body)[name]);
}

/** Where what is not understood would be a change that does not happen. */
export function refuseUnknown(body: object, known: { readonly properties: object }): void {
  const unknown = Object.keys(body).find((member) => !Object.hasOwn(known.properties, member));
  if (unknown === undefined) return;
  const own = Object.keys(known.properties).filter((member) => !Object.hasOwn(WriteMembers, member));
  throw invalid(`${unknown}: there is no such member; allowed: ${own.join(', ')}`);
}

export const readFlag = flag;

export const wantsReset = (request: Asked): boolean => flagOf(request, 'reset') ?? false;
export const wantsDryRun = (request: Asked): boolean => flagOf(request, 'dry_run') ?? false;

function waitOf(request: Asked): number | undefined {
  const asked = members(request.query).wait ?? members(request.body).wait;
  if (asked === undefined) return undefined;
  const seconds = Number(asked);
  if (!(seconds >= 0 && seconds <= 600)) throw refuseMember('wait', asked, WAIT_TEXT);
  return Math.round(seconds * 1000);
}

const VERSION = /^(?:W\/)?(?:"([0-9]{1,15})"|([0-9]{1,15}))$/;

/** The version that `If-Match` names; undefined when it names none, or any. */
function ifMatch(headers: IncomingHttpHeaders): number | undefined {
  const text = headers['if-match']?.trim();
  if (text === undefined || text === '*') return undefined;
  const match = VERSION.exec(text);
  if (match === null) {
    throw refuseMember('If-Match', text, 'the version of the cluster as a decimal, bare or in quotes, or `*`');
  }
  return Number(match[1] ?? match[2]);
}

/** For routes that can answer a `dry_run`; they ask `wantsDryRun` themselves. */
export function changeOptions(request: Asked): WriteOptions {
  return {
    caller: { name: request.ip },
    ifVersion: ifMatch(request.headers),
    wait: waitOf(request),
    force: flagOf(request, 'force'),
  };
}

/** For all others: a caller who asks for a rehearsal must not get the change itself. */
export function writeOptions(request: Asked): WriteOptions {
  if (wantsDryRun(request))
    throw refuseMember(
      'dry_run',
      true,
      'false, or absent: only a failover, a rebalance, a replay and a fix can be rehearsed',
    );
  return changeOptions(request);
}

/** For what is no change of one cluster's topology: a version to match means nothing there. */
export function plainOptions(request: Asked): WriteOptions {
  if (ifMatch(request.headers) !== undefined) {
    throw refuseMember(
      'If-Match',
      request.headers['if-match'],
      'nothing here: there is no cluster yet to be at a version',
    );
  }
  return writeOptions(request);
}

const isYes = (header: string | readonly string[] | undefined): boolean =>
  typeof header === 'string' && header.trim().toLowerCase() === 'yes';

export const nodeChecks = (headers: IncomingHttpHeaders): NodeChecks => ({
  skipClusterMode: isYes(headers['x-dont-check-cluster-mode']),
  skipVersion: isYes(headers['x-dont-check-kvrocks-version']),
});

export function readAddress(member: string, text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw refuseMember(member, text, ADDRESS_TEXT);
  return address;
}

/** None twice, as written; that two names lead to one node only resolving them tells, which the controller does. */
export function readNodes(texts: readonly string[]): readonly Address[] {
  const seen = new Set<string>();
  return texts.map((text, i) => {
    const address = readAddress(`nodes[${i}]`, text);
    const spelling = formatAddress(address).toLowerCase();
    if (seen.has(spelling)) throw invalid(`nodes[${i}]: got "${text}" twice; allowed: ${NODES_TEXT}`);
    seen.add(spelling);
    return address;
  });
}

/** Nodes in each shard; divides `nodes`. */
export function readReplicas(asked: number | undefined, nodes: number): number {
  const replicas = asked === undefined || asked === 0 ? 1 : asked;
  if (nodes % replicas !== 0) {
    throw invalid(
      `replicas: got ${replicas} for ${nodes} nodes; allowed: the nodes in each shard, masters included, so that the number of nodes is a multiple of it`,
    );
  }
  return replicas;
}

export const readPassword = (text: string | undefined): Secret => new Secret(text ?? '');

const DECIMAL = /^[0-9]+$/;

/** The schema let through decimals and ids only. An index beyond all integers names no shard either. */
export function readShard(asked: ShardAsked): ShardRef {
  if (typeof asked === 'number') return { index: asked };
  if (asked.startsWith('sh-')) return { id: asked };
  if (!DECIMAL.test(asked)) throw refuseMember('shard', asked, SHARD_TEXT);
  return { index: Math.min(Number(asked), Number.MAX_SAFE_INTEGER) };
}

/** In the order asked for; none twice. */
export function readSlots(member: string, asked: SlotsAsked): readonly SlotRange[] {
  const list = Array.isArray(asked) ? asked : [asked];
  const taken = new Uint8Array(SLOT_COUNT);
  const ranges: SlotRange[] = [];
  for (const [i, slot] of list.entries()) {
    const name = Array.isArray(asked) ? `${member}[${i}]` : member;
    const range = parseRange(`${slot}`);
    if (range === undefined) throw refuseMember(name, slot, SLOT_TEXT);
    for (let each = range.from; each <= range.to; each++) {
      if (taken[each] === 1) throw invalid(`${name}: got slot ${each} twice; allowed: each slot once`);
      taken[each] = 1;
    }
    ranges.push(range);
  }
  return ranges;
}

/** Both spellings mean the same; one that contradicts the other is refused, since slots without data lose it. */
export function readSlotOnly(asked: {
  readonly slot_only?: FlagAsked | undefined;
  readonly slotOnly?: FlagAsked | undefined;
}): boolean {
  const snake = flag(asked.slot_only);
  const camel = flag(asked.slotOnly);
  if (snake !== undefined && camel !== undefined && snake !== camel) {
    throw refuseMember('slotOnly', camel, 'the same as slot_only');
  }
  return snake ?? camel ?? false;
}
