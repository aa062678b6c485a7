/** INFO: the sections of Kvrocks 2.14, each a header line and fields, parted by empty lines. */
import type { Client } from './client.ts';
import type { Core } from './core.ts';
import type { Feeds } from './feeds.ts';
import type { Replication } from './replication.ts';

/** The release that the emulator behaves like. */
const VERSION = '2.14.0';
const GIT_SHA = '589b0189';

export interface Counters {
  connections: number;
  commands: number;
  inputBytes: number;
  outputBytes: number;
  syncFull: number;
  syncPartialOk: number;
  syncPartialError: number;
}

export interface InfoSource {
  readonly core: Core;
  readonly counters: Counters;
  readonly processId: number;
  /** Wall-clock milliseconds. */
  readonly startedAt: number;
  readonly loading: boolean;
  readonly clients: ReadonlyMap<number, Client>;
  readonly replication: Replication | undefined;
  readonly feeds: Feeds;
}

const sections: Readonly<Record<string, readonly [header: string, fields: (from: InfoSource) => readonly string[]]>> = {
  server: ['Server', server],
  clients: [
    'Clients',
    ({ core, clients }) => [
      `maxclients:${core.settings.get('maxclients')}`,
      `connected_clients:${clients.size}`,
      'monitor_clients:0',
      'blocked_clients:0',
    ],
  ],
  memory: [
    'Memory',
    () => [
      'used_memory_rss:41943040',
      'used_memory_rss_human:40.00M',
      'used_memory_lua:25600',
      'used_memory_lua_human:25.00K',
      'used_memory_startup:20971520',
      'mem_allocator:libc',
    ],
  ],
  persistence: [
    'Persistence',
    ({ loading, startedAt }) => [
      `loading:${loading ? 1 : 0}`,
      'bgsave_in_progress:0',
      `last_bgsave_time:${Math.floor(startedAt / 1000)}`,
      'last_bgsave_status:ok',
      'last_bgsave_time_sec:-1',
    ],
  ],
  stats: ['Stats', stats],
  replication: ['Replication', (from) => (from.loading ? [] : replicationFields(from))],
  cpu: ['CPU', () => ['used_cpu_sys:0', 'used_cpu_user:0']],
  cluster: ['Cluster', ({ core }) => [`cluster_enabled:${core.settings.on('cluster-enabled') ? 1 : 0}`]],
  keyspace: ['Keyspace', (from) => (from.loading ? [] : keyspace(from))],
  rocksdb: ['RocksDB', ({ core, loading }) => (loading ? [] : [`estimate_keys[metadata]:${core.database.size}`])],
};

const sectionList = Object.entries(sections);

/** The text of the named sections, in a fixed order; of all of them without names or with `all` or `default`. */
export function infoText(names: readonly string[], from: InfoSource): string {
  const wanted = names.map((name) => name.toLowerCase());
  const all = wanted.length === 0 || wanted.some((name) => ['all', 'default', 'everything'].includes(name));
  const texts: string[] = [];
  for (const [name, [header, fields]] of sectionList) {
    if (!all && !wanted.includes(name)) continue;
    texts.push([`# ${header}`, ...fields(from), ''].join('\r\n'));
  }
  return texts.join('\r\n');
}

/** Whether these sections look into the database. */
export function readsDatabase(names: readonly string[]): boolean {
  return (
    names.length === 0 || names.some((name) => /^(all|default|everything|replication|keyspace|rocksdb)$/i.test(name))
  );
}

function server({ core, processId, startedAt }: InfoSource): readonly string[] {
  const mode = core.settings.on('cluster-enabled') ? 'cluster' : 'standalone';
  const up = Math.max(0, Math.floor((core.moment.wall - startedAt) / 1000));
  return [
    `version:${VERSION}`,
    `kvrocks_version:${VERSION}`,
    'redis_version:4.0.0',
    `git_sha1:${GIT_SHA}`,
    `kvrocks_git_sha1:${GIT_SHA}`,
    `redis_mode:${mode}`,
    `kvrocks_mode:${mode}`,
    'os:Linux emulated x86_64',
    'gcc_version:12.2.0',
    'rocksdb_version:10.6.2',
    'arch_bits:64',
    `process_id:${processId}`,
    `tcp_port:${core.port}`,
    `server_time_usec:${Math.floor(core.moment.wall * 1000)}`,
    `uptime_in_seconds:${up}`,
    `uptime_in_days:${Math.floor(up / 86400)}`,
    'executable:kvrocks-emulator',
    'config_file:kvrocks.conf',
  ];
}

function stats({ counters, clients }: InfoSource): readonly string[] {
  const all = [...clients.values()];
  const channels = new Set(all.flatMap((client) => [...client.channels]));
  const patterns = new Set(all.flatMap((client) => [...client.patterns]));
  return [
    `total_connections_received:${counters.connections}`,
    `total_commands_processed:${counters.commands}`,
    'instantaneous_ops_per_sec:0',
    `total_net_input_bytes:${counters.inputBytes}`,
    `total_net_output_bytes:${counters.outputBytes}`,
    'instantaneous_input_kbps:0',
    'instantaneous_output_kbps:0',
    `sync_full:${counters.syncFull}`,
    `sync_partial_ok:${counters.syncPartialOk}`,
    `sync_partial_err:${counters.syncPartialError}`,
    'keyspace_hits:0',
    'keyspace_misses:0',
    `pubsub_channels:${channels.size}`,
    `pubsub_patterns:${patterns.size}`,
  ];
}

function replicationFields({ core, replication, feeds }: InfoSource): readonly string[] {
  const { sequence } = core.database;
  const slaves = feeds.infoLines();
  const tail = [`connected_slaves:${slaves.length}`, ...slaves, `master_repl_offset:${sequence}`];
  if (replication === undefined) return ['role:master', ...tail];
  return [
    'role:slave',
    `master_host:${replication.host}`,
    `master_port:${replication.port}`,
    `master_link_status:${replication.linkUp ? 'up' : 'down'}`,
    'master_sync_unrecoverable_error:no',
    `master_sync_in_progress:${replication.syncing ? 1 : 0}`,
    `master_last_io_seconds_ago:${replication.lastIoSecondsAgo}`,
    `slave_repl_offset:${sequence}`,
    `slave_priority:${core.settings.get('slave-priority')}`,
    ...tail,
  ];
}

function keyspace({ core }: InfoSource): readonly string[] {
  const { keys, expires, averageTtl, expired } = core.database.keyCounts;
  return [
    'last_dbsize_scan_timestamp:0',
    `db0:keys=${keys},expires=${expires},avg_ttl=${averageTtl},expired=${expired}`,
    `sequence:${core.database.sequence}`,
    'used_db_size:0',
    'max_db_size:0',
    'used_percent:0%',
    'disk_capacity:1099511627776',
    'used_disk_size:0',
    'used_disk_percent:0%',
  ];
}
