/** What nodes say to each other, and what is asked about the log: PSYNC and its kin, WAIT, POLLUPDATES. */
import type { Client } from './client.ts';
import { type NodeCommand, type NodeCommands, refuse, simple } from './commands.ts';
import { bulk, type Core, error, OK, type Outcome } from './core.ts';
import type { Feeds } from './feeds.ts';
import type { Counters } from './info.ts';
import { isEffects } from './log-lines.ts';
import { BATCH_COMMAND, RESTORE_COMMAND } from './migrator.ts';
import { pollUpdatesCommand } from './poll-updates.ts';
import type { Reply } from './reply.ts';
import { parseInteger, SLOTS } from './slot-words.ts';

export interface ReplicationHost {
  readonly isSlave: boolean;
  readonly counters: Counters;
  readonly feeds: Feeds;
  /** The history that the batch with this number carries; undefined without `use-rsid-psync`, and without such a batch. */
  historyAt(sequence: number): string | undefined;
  /** The whole state as text, for a full copy. */
  copy(): string;
  send(client: Client, bytes: string): void;
  follow(host: string, port: number): void;
  unfollow(done: () => void): void;
  slotRefusal(slot: number, client: Client): Reply | undefined;
}

/** Characters of a history's id. */
export const HISTORY_LENGTH = 16;

/** Pieces of a full copy are sent so often when `max-replication-mb` limits it. */
const COPY_EVERY = 10;
const COPY_PIECE = 2 ** 20;
/** Bytes of this text for one of the server's files: the log is in it a second time, and nothing is packed. */
const COPY_SWELL = 2;

export function replicationCommands(core: Core, host: ReplicationHost): NodeCommands {
  const { feeds, counters } = host;

  function slaveof([, address = '', port = '']: readonly string[]): Outcome {
    if (core.settings.on('cluster-enabled')) return error("can't change to slave in cluster mode");
    if (address.toLowerCase() === 'no' && port.toLowerCase() === 'one') host.unfollow(() => {});
    else host.follow(address, Number(port));
    return OK;
  }

  function prepareWait([, countWord = '', timeoutWord = '']: readonly string[]): ReturnType<NodeCommand['prepare']> {
    const count = parseInteger(countWord);
    if (count === undefined || count <= 0n) return refuse('numreplicas should be a positive integer');
    const timeout = parseInteger(timeoutWord);
    if (timeout === undefined || timeout < 0n) return refuse('timeout should be a non-negative integer');
    return () => {
      if (host.isSlave) return error('WAIT command can only be executed on master');
      return feeds.wait(Number(count), Number(timeout));
    };
  }

  function preparePsync(words: readonly string[]): ReturnType<NodeCommand['prepare']> {
    const next = Number(words.at(-1));
    const id = words.length > 2 ? words[1] : undefined;
    if (!/^\d{1,19}$/.test(words.at(-1) ?? '')) return refuse('value is not an unsigned long long or out of range');
    if (id !== undefined && id.length !== HISTORY_LENGTH) return refuse('Wrong replication id length');
    return (client) => {
      const known = id === undefined ? undefined : host.historyAt(next - 1);
      const foreign = known !== undefined && known !== id;
      if (foreign || !feeds.canFeed(next)) {
        counters.syncPartialError += 1;
        return error(foreign ? 'wrong replication id of the last log' : 'sequence out of range, please use fullsync');
      }
      counters.syncPartialOk += 1;
      feeds.start(client, next);
      return OK;
    };
  }

  function replconf(words: readonly string[], client: Client): Outcome {
    for (let i = 1; i + 1 < words.length; i += 2) {
      const value = words[i + 1] ?? '';
      switch (words[i]?.toLowerCase()) {
        case 'listening-port':
          client.listeningPort = Number(value);
          break;
        case 'ip-address':
          client.announcedHost = value;
          break;
        default:
          return error('unknown option');
      }
    }
    return OK;
  }

  function fetchCopy(_words: readonly string[], client: Client): Outcome {
    counters.syncFull += 1;
    const text = host.copy();
    const limit = core.settings.number('max-replication-mb');
    const piece = limit === 0 ? COPY_PIECE : Math.ceil((limit * 2 ** 20 * COPY_SWELL * COPY_EVERY) / 1000);
    const began = core.moment.now;
    let at = 0;
    host.send(client, `$${text.length}\r\n`);
    const go = () => {
      if (client.closed) return;
      const due = limit === 0 ? text.length : piece * (1 + Math.floor((core.moment.now - began) / COPY_EVERY));
      while (at < Math.min(due, text.length)) {
        host.send(client, text.slice(at, at + piece));
        at += piece;
      }
      if (at >= text.length) host.send(client, '\r\n');
      else core.after(COPY_EVERY, go);
    };
    go();
    return undefined;
  }

  /** Effects of a migration by command: refused like a client's write to that slot. */
  function restore([, slotWord = '', json = '']: readonly string[], client: Client): Outcome {
    const slot = Number(slotWord);
    if (!Number.isInteger(slot) || slot < 0 || slot >= SLOTS) return error('invalid slot');
    const refused = host.slotRefusal(slot, client);
    if (refused !== undefined) return refused;
    return batch(['', json]);
  }

  /** Effects of a migration by raw batches: no slot is looked at. */
  function batch([, json = '']: readonly string[]): Outcome {
    let effects: unknown;
    try {
      effects = JSON.parse(json);
    } catch {
      return error('no effects');
    }
    if (!isEffects(effects)) return error('no effects');
    core.database.restoreEffects(effects);
    return OK;
  }

  return {
    slaveof: simple(3, ['readonly', 'exclusive', 'no-script', 'admin'], slaveof),
    replicaof: simple(3, ['readonly', 'exclusive', 'no-script', 'admin'], slaveof),
    wait: { arity: 3, flags: ['readonly', 'no-multi', 'no-script', 'blocking'], prepare: prepareWait },
    psync: { arity: -2, flags: ['readonly', 'no-multi', 'no-script'], prepare: preparePsync },
    replconf: simple(-3, ['readonly', 'no-script'], replconf),
    _db_name: simple(1, ['readonly', 'no-multi'], () => bulk(core.settings.get('db-name'))),
    _fetch_copy: simple(1, ['readonly', 'no-multi', 'no-script'], fetchCopy),
    [RESTORE_COMMAND]: simple(3, ['write', 'no-multi', 'no-script'], restore),
    [BATCH_COMMAND]: simple(2, ['write', 'no-multi', 'no-script'], batch),
    pollupdates: pollUpdatesCommand(core.database),
  };
}
