/**
 * What callers may set while everything runs: how a cluster is watched and mended, and what is special about a node.
 * Names, bounds and words are declared once, for the API, its document and kvctl. Neither changes a node's text, so
 * the version stays.
 */
import type { Happening, Proposal, World } from '../decisions/world.ts';
import type { ClusterSettings } from '../operations/settings.ts';
import type { Address } from '../topology/address.ts';
import { type Node, withNode, withShard } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { findShard } from './changes.ts';
import type { ShardRef } from './control-plane.ts';
import { invalid, notFound } from './refusal.ts';

/** What the server takes. */
const MOST = 2 ** 31 - 1;

export const SETTINGS = {
  tolerance_ms: {
    key: 'tolerance',
    unit: 'ms',
    least: 1_000,
    most: 600_000,
    about:
      'how long a master that hangs may be silent before it is replaced; one that crashed is replaced within a second',
  },
  max_lag_ms: {
    key: 'maxLag',
    unit: 'ms',
    least: 0,
    most: 600_000,
    about: 'how much of the master’s last writes, in time, a replica may lack and still be promoted without force',
  },
  no_witness_hold_ms: {
    key: 'noWitnessHold',
    unit: 'ms',
    least: 5_000,
    most: 3_600_000,
    about: 'how long a dead master that no replica can testify against is waited for',
  },
  diverged: {
    key: 'diverged',
    unit: null,
    words: ['resync', 'fence'],
    about:
      'what becomes of a node that holds writes which its shard does not have: resync saves them and copies it whole, fence keeps it for an operator',
  },
  concurrent_moves: {
    key: 'concurrentMoves',
    unit: 'moves',
    least: 1,
    most: 16_384,
    about:
      'how many pieces of slots are on their way at a time; each shard gives one and takes one at most in any case',
  },
  migrate_speed: {
    key: 'migrateSpeed',
    unit: 'commands/s',
    least: 0,
    most: MOST,
    about:
      'migrate-speed of the sources of moves, in force where they copy by redis-command; 0 for no limit. Each gets back what it had',
  },
  migrate_rate_limit_mb: {
    key: 'migrateRateLimit',
    unit: 'MB/s',
    least: 1,
    most: MOST,
    about:
      'migrate-batch-rate-limit-mb of the sources of moves, in force where they copy by raw-key-value. Each gets back what it had',
  },
} as const;

export type SettingName = keyof typeof SETTINGS;
const isSettingName = (name: string): name is SettingName => Object.hasOwn(SETTINGS, name);
export const SETTING_NAMES: readonly SettingName[] = Object.keys(SETTINGS).filter(isSettingName);

/** What a setting may be, for people. */
export function allowedFor(name: SettingName): string {
  const setting = SETTINGS[name];
  if (setting.unit === null) return `${setting.words.map((word) => `\`${word}\``).join(' or ')}; ${GIVES_BACK}`;
  const what = setting.unit === 'ms' ? 'milliseconds' : setting.unit;
  return `a whole number of ${what} from ${setting.least} to ${setting.most}; ${GIVES_BACK}`;
}

const GIVES_BACK = 'null gives the server’s default back';

export interface SettingView {
  /** Null: no limit of the controller's own. */
  readonly value: number | string | null;
  /** What holds for clusters that have not set it. */
  readonly default: number | string | null;
  /** It was set for this cluster. */
  readonly set: boolean;
  readonly unit: 'ms' | 'moves' | 'commands/s' | 'MB/s' | null;
  readonly about: string;
}

export type SettingsView = { readonly [K in SettingName]: SettingView };

/** Every setting of a cluster; `otherwise` is what the process was started with. */
export function settingsView(set: Partial<ClusterSettings>, otherwise: ClusterSettings): SettingsView {
  const view = (name: SettingName): SettingView => {
    const { key, unit, about } = SETTINGS[name];
    return { value: set[key] ?? otherwise[key], default: otherwise[key], set: set[key] !== undefined, unit, about };
  };
  return {
    tolerance_ms: view('tolerance_ms'),
    max_lag_ms: view('max_lag_ms'),
    no_witness_hold_ms: view('no_witness_hold_ms'),
    diverged: view('diverged'),
    concurrent_moves: view('concurrent_moves'),
    migrate_speed: view('migrate_speed'),
    migrate_rate_limit_mb: view('migrate_rate_limit_mb'),
  };
}

/** Null unsets; what is absent stays. Within the bounds of `SETTINGS`. */
export interface SettingsChange {
  readonly tolerance_ms?: number | null | undefined;
  readonly max_lag_ms?: number | null | undefined;
  readonly no_witness_hold_ms?: number | null | undefined;
  readonly diverged?: ClusterSettings['diverged'] | null | undefined;
  readonly concurrent_moves?: number | null | undefined;
  readonly migrate_speed?: number | null | undefined;
  readonly migrate_rate_limit_mb?: number | null | undefined;
}

const changed = (name: SettingName, to: number | string | null): string => {
  const unit = SETTINGS[name].unit;
  return to === null ? `${name} is the server’s default again` : `${name} is ${to}${unit === null ? '' : ` ${unit}`}`;
};

export function changeSettings(world: World, change: SettingsChange, by: string): Proposal {
  const { intended } = world;
  const asked = SETTING_NAMES.filter((name) => change[name] !== undefined);
  if (asked.length === 0) throw invalid(`nothing to change; allowed: ${SETTING_NAMES.join(', ')}`);
  const settings: { -readonly [K in keyof ClusterSettings]?: ClusterSettings[K] } = { ...intended.settings };
  const put = <K extends keyof ClusterSettings>(key: K, to: ClusterSettings[K] | null | undefined): void => {
    if (to === null) delete settings[key];
    else if (to !== undefined) settings[key] = to;
  };
  put('tolerance', change.tolerance_ms);
  put('maxLag', change.max_lag_ms);
  put('noWitnessHold', change.no_witness_hold_ms);
  put('diverged', change.diverged);
  put('concurrentMoves', change.concurrent_moves);
  put('migrateSpeed', change.migrate_speed);
  put('migrateRateLimit', change.migrate_rate_limit_mb);
  const news = asked.filter((name) => settings[SETTINGS[name].key] !== intended.settings[SETTINGS[name].key]);
  const message = news.map((name) => changed(name, change[name] ?? null)).join(', ');
  return {
    next: { ...intended, settings },
    events: news.length === 0 ? [] : [{ kind: 'settings.changed', message, by }],
  };
}

/** What is absent stays. */
export interface NodeChange {
  /** 0 to 1000: among equally advanced replicas the higher one is promoted. */
  readonly priority?: number | undefined;
  /** Never promoted unless an operator names it. */
  readonly noFailover?: boolean | undefined;
  /** Where it listens now: proven by its id, and a new version. */
  readonly address?: Address | undefined;
}

function nodeWords(before: Node, after: Node): string {
  const words = [];
  if (before.priority !== after.priority) words.push(`its priority is ${after.priority}`);
  if (before.noFailover !== after.noFailover) {
    words.push(
      after.noFailover ? 'it is not promoted unless an operator names it' : 'it may be promoted like any other',
    );
  }
  return words.join(', ');
}

export function changeNode(world: World, ref: ShardRef, id: NodeId, change: NodeChange, by: string): Proposal {
  const { intended } = world;
  const { shard, index } = findShard(intended.cluster, ref);
  const before = shard.nodes.find((node) => node.id === id);
  if (before === undefined) throw notFound(`node ${id} of shard ${index}`);
  const after: Node = {
    ...before,
    priority: change.priority ?? before.priority,
    noFailover: change.noFailover ?? before.noFailover,
  };
  const words = nodeWords(before, after);
  const event: Happening = {
    kind: 'settings.changed',
    message: `${id}: ${words}`,
    by,
    shard: shard.id,
    node: id,
  };
  const cluster = withShard(intended.cluster, shard.id, (old) => withNode(old, id, () => after));
  return { next: { ...intended, cluster }, events: words === '' ? [] : [event] };
}
