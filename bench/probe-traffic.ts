/** What goes over the wire in the probe benchmark, the same bytes for both ways of probing. */
import { encodeCommand } from '../src/kvrocks/resp.ts';

export const QUESTION = encodeCommand(['CLUSTER', 'INFO']) + encodeCommand(['INFO', 'replication']);
export const QUESTION_LENGTH = QUESTION.length;

const crlf = (...lines: readonly string[]): string => `${lines.join('\r\n')}\r\n`;
const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

export const CLUSTER_INFO = crlf(
  'cluster_state:ok',
  'cluster_slots_assigned:16384',
  'cluster_slots_ok:16384',
  'cluster_slots_pfail:0',
  'cluster_slots_fail:0',
  'cluster_known_nodes:10000',
  'cluster_size:3333',
  'cluster_current_epoch:1234',
  'cluster_my_epoch:1234',
);

export const INFO_REPLICATION = crlf(
  '# Replication',
  'role:slave',
  'master_host:127.1.2.3',
  'master_port:6666',
  'master_link_status:up',
  'master_sync_unrecoverable_error:no',
  'master_sync_in_progress:0',
  'master_last_io_seconds_ago:1',
  'slave_repl_offset:1234567890',
  'slave_priority:100',
  'connected_slaves:0',
  'master_repl_offset:1234567890',
  '',
);

export const ANSWER = bulk(CLUSTER_INFO) + bulk(INFO_REPLICATION);
