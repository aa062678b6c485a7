/**
 * Replies of real servers, for tests: `old` is Kvrocks of October 2024, `new` of November 2025 (2.14). Ids are 40 times
 * a letter, as they were on those nodes.
 */

export const id = (letter: string): string => letter.repeat(40);

const crlf = (...lines: readonly string[]): string => `${lines.join('\r\n')}\r\n`;

const counters = (known: number, size: number, epoch: number): string[] => [
  'cluster_state:ok',
  'cluster_slots_assigned:16384',
  'cluster_slots_ok:16384',
  'cluster_slots_pfail:0',
  'cluster_slots_fail:0',
  `cluster_known_nodes:${known}`,
  `cluster_size:${size}`,
  `cluster_current_epoch:${epoch}`,
  `cluster_my_epoch:${epoch}`,
];

/** CLUSTER INFO. */
export const clusterInfos = {
  quiet: crlf(...counters(2, 1, 1)),
  migratingStart: crlf(
    ...counters(4, 2, 3),
    'migrating_slot(s): 100',
    `destination_node: ${id('b')}`,
    'migrating_state: start',
  ),
  migratedOldSpelling: crlf(
    ...counters(4, 2, 2),
    'migrating_slot: 50',
    `destination_node: ${id('b')}`,
    'migrating_state: success',
  ),
  importedRange: crlf(...counters(4, 2, 2), 'importing_slot(s): 100-102', 'import_state: error'),
  importedOldSpelling: crlf(...counters(4, 2, 2), 'importing_slot: 50', 'import_state: success'),
  bothWays: crlf(
    ...counters(3, 3, 7),
    'migrating_slot(s): 0-49',
    `destination_node: ${id('c')}`,
    'migrating_state: fail',
    'importing_slot(s): 9000-9100',
    'import_state: start',
  ),
} as const;

/** INFO replication. */
export const infoReplications = {
  fresh: crlf('# Replication', 'role:master', 'connected_slaves:0', 'master_repl_offset:0', ''),
  master: crlf(
    '# Replication',
    'role:master',
    'connected_slaves:1',
    'slave0:ip=127.0.0.1,port=7771,offset=2000,lag=0',
    'master_repl_offset:2000',
    '',
  ),
  masterOfIpv6: crlf(
    '# Replication',
    'role:master',
    'connected_slaves:2',
    'slave0:ip=::1,port=16701,offset=1,lag=1999',
    'slave1:ip=127.0.0.1,port=17001,offset=0,lag=2000',
    'master_repl_offset:2000',
    '',
  ),
  slaveUp: slave('up', 1, 2000),
  slaveDown: slave('down', 6, 22069),
  slaveNeverConnected: slave('down', 1795466809, 0),
  slaveInFullSync: slave('down', 0, 400).replace('in_progress:0', 'in_progress:1'),
  slaveOfIpv6: slave('up', 0, 1).replace('master_host:127.0.0.1', 'master_host:::1'),
  loadingOld: '',
  loadingNew: crlf('# Replication', ''),
} as const;

function slave(link: string, silent: number, sequence: number): string {
  return crlf(
    '# Replication',
    'role:slave',
    'master_host:127.0.0.1',
    'master_port:7770',
    `master_link_status:${link}`,
    'master_sync_unrecoverable_error:no',
    'master_sync_in_progress:0',
    `master_last_io_seconds_ago:${silent}`,
    `slave_repl_offset:${sequence}`,
    'slave_priority:100',
    'connected_slaves:0',
    `master_repl_offset:${sequence}`,
    '',
  );
}

/** CLUSTER NODES: lines end in `\n` only. */
export const clusterNodes = {
  pair: `${id('b')} 127.0.0.1:7771@17771 slave ${id('a')} 1795466774203 1795466774204 1 connected\n${id('a')} 127.0.0.1:7770@17770 myself,master - 1795466774203 1795466774204 1 connected 0-16383\n`,
  migrating: `${id('d')} 127.0.0.1:7773@17773 slave ${id('b')} 1795466876538 1795466876539 3 connected\n${id('c')} 127.0.0.1:7772@17772 master - 1795466876538 1795466876539 3 connected\n${id('b')} 127.0.0.1:7771@17771 master - 1795466876538 1795466876539 3 connected 50 8192-16383\n${id('a')} 127.0.0.1:7770@17770 myself,master - 1795466876538 1795466876539 3 connected 0-49 51-8191 [100->-${id('b')}]\n`,
  importing: `${id('b')} 127.0.0.1:7771@17771 myself,master - 1795466876538 1795466876539 3 connected 50 8192-16383 [100-102-<-${id('a')}]\n`,
  ipv6: `${id('a')} ::1:16700@26700 myself,master - 1795466774203 1795466774204 1 connected 0-100\n${id('b')} 2001:db8::2:7000@17000 master - 1795466774203 1795466774204 1 connected 101-16383\n`,
  withoutItself: `${id('d')} 127.0.0.1:0@10000 master - 1795466750019 1795466750020 1 connected 0\n`,
} as const;

/** INFO server. */
export const infoServers = {
  unstable: crlf(
    '# Server',
    'version:unstable',
    'kvrocks_version:unstable',
    'redis_version:4.0.0',
    'git_sha1:26d6fa4',
    'kvrocks_git_sha1:26d6fa4',
    'redis_mode:cluster',
    'kvrocks_mode:cluster',
    'process_id:16067',
    'tcp_port:7770',
    '',
  ),
} as const;

/** Errors, without the `-` in front. */
export const errorTexts = {
  loading: 'LOADING kvrocks is restoring the db from backup',
  noauth: 'NOAUTH Authentication required.',
  wrongPassword: 'ERR Invalid password',
  masterdown: "MASTERDOWN Link with MASTER is down and slave-serve-stale-data is set to 'no'.",
  notInitialized: 'CLUSTERDOWN The cluster is not initialized',
  notServed: 'CLUSTERDOWN Hash slot not served',
  notACluster: 'ERR Cluster mode is not enabled',
  usageX: 'ERR CLUSTERX command, CLUSTERX VERSION|MYID|SETNODEID|SETNODES|SETSLOT|MIGRATE',
  usage: 'ERR CLUSTER command, CLUSTER INFO|NODES|SLOTS|KEYSLOT|RESET|REPLICAS',
  unknown: 'ERR unknown command `WAIT`, with args beginning with: `0`, `0`',
  moved: 'MOVED 100 127.0.0.1:7771',
  movedIpv6: 'MOVED 7629 ::1:16700',
  tryAgain: "TRYAGAIN Can't write to slot being migrated which is in write forbidden phase",
  readOnly: "READONLY You can't write against a read only slave.",
  migrating: 'ERR There is already a migrating job',
  importing: 'ERR only one importing job is allowed, current importing: 100',
  resetMigrating: "ERR Can't reset cluster while migrating slot",
  oldVersion: 'ERR Invalid cluster version',
  aborted: 'EXECABORT Transaction discarded',
  badText: 'ERR Invalid cluster nodes info',
} as const;
