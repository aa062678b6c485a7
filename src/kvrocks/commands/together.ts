import { classifyError, type NodeError } from '../errors.ts';
import { garbled, type Question, type Read, readOk, reply } from '../question.ts';
import type { Reply } from '../resp.ts';

/** One command of any bytes, as latin1. */
export type RawCommand = readonly string[];

const encode = (args: RawCommand): string =>
  `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;

/**
 * `WATCH`, once for each key, since several in one must share a slot: a transaction behind it on this connection is
 * carried out only if nobody has written any of them since. A late or repeated copy can only keep it from that.
 */
export function watchKeys(keys: readonly string[]): Question<'ok'> {
  return {
    bytes: keys.map((key) => encode(['WATCH', key])).join(''),
    replies: keys.length,
    read: (replies) => {
      for (const got of replies) {
        const read = readOk(got);
        if (read.kind !== 'reply') return read;
      }
      return reply('ok');
    },
  };
}

/** `UNWATCH`. A late or repeated copy takes the guard of what is watched by then: only on a connection of one's own. */
export function unwatch(): Question<'ok'> {
  return {
    bytes: encode(['UNWATCH']),
    replies: 1,
    read: ([got]) => (got === undefined ? garbled('no reply') : readOk(got)),
  };
}

/**
 * `MULTI; commands; EXEC`: all of them with nothing between, or none, each with its own outcome. Undefined: none, since
 * a watched key was written. A late or repeated copy does them again: only behind `watchKeys`, whose guard the first
 * one used up.
 */
export function together(commands: readonly RawCommand[]): Question<readonly (NodeError | 'done')[] | undefined> {
  return {
    bytes: [['MULTI'], ...commands, ['EXEC']].map(encode).join(''),
    replies: commands.length + 2,
    read: (replies) => readTogether(replies, commands.length),
  };
}

function readTogether(replies: readonly Reply[], count: number): Read<readonly (NodeError | 'done')[] | undefined> {
  // What is refused while it is queued says more than EXEC's own EXECABORT.
  for (const got of replies) if (got.kind === 'error') return { kind: 'error', error: classifyError(got.text) };
  const exec = replies.at(-1);
  if (exec?.kind === 'nil') return reply(undefined);
  if (exec?.kind !== 'array' || exec.items.length !== count) return garbled('EXEC: no array of replies');
  return reply(exec.items.map((item) => (item.kind === 'error' ? classifyError(item.text) : 'done')));
}
