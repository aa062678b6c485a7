/** SCRIPT and EVAL. Loaded scripts are part of the replicated data: a full copy replaces them. */
import { createHash } from 'node:crypto';
import type { Client } from './client.ts';
import { type NodeCommand, type NodeCommands, refuse, simple } from './commands.ts';
import { array, bulk, type Core, error, integer, OK, type Outcome } from './core.ts';
import { runScript } from './lua.ts';
import type { Reply } from './reply.ts';

/** To a write, from a replica. */
export const READ_ONLY: Reply = {
  kind: 'error',
  text: "READONLY You can't write against a read only slave.",
};
const WRONG_SUBCOMMAND = error('Unknown SCRIPT subcommand or wrong number of arguments');
const NO_SCRIPT: Reply = { kind: 'error', text: 'NOSCRIPT No matching script. Please use EVAL' };

export class Scripts {
  /** Bodies by SHA1. */
  #bodies = new Map<string, string>();

  load(body: string): void {
    this.#bodies.set(shaOf(body), body);
  }

  flush(): void {
    this.#bodies.clear();
  }

  body(sha: string): string | undefined {
    return this.#bodies.get(sha.toLowerCase());
  }

  all(): readonly string[] {
    return [...this.#bodies.values()];
  }
}

function shaOf(body: string): string {
  return createHash('sha1').update(body, 'latin1').digest('hex');
}

export type ScriptCall = (client: Client, words: readonly string[]) => Reply;

export function scriptCommands(core: Core, scripts: Scripts, call: ScriptCall): NodeCommands {
  function script(words: readonly string[], inExec: boolean): Outcome {
    const [, name = '', ...rest] = words;
    const writes = ['load', 'flush'].includes(name.toLowerCase());
    if (writes && core.isSlave && core.settings.on('slave-read-only')) return READ_ONLY;
    const [body] = rest;
    switch (name.toLowerCase()) {
      case 'load':
        if (body === undefined || rest.length > 1) return WRONG_SUBCOMMAND;
        core.database.appendKeyless(1, [['SCRIPT', 'LOAD', body]]);
        return bulk(shaOf(body));
      case 'exists':
        if (body === undefined) return WRONG_SUBCOMMAND;
        return array(rest.map((sha) => integer(scripts.body(sha) === undefined ? 0 : 1)));
      case 'flush':
        if (inExec) return error('Not implemented: DeleteRange unsupported in WriteBatchWithIndex');
        // The range of bodies is deleted in one batch, the replicas' interpreters are emptied by another.
        core.database.appendKeyless(1, [['SCRIPT', 'FLUSH']]);
        core.database.appendKeyless(1, [['SCRIPT', 'FLUSH']]);
        return OK;
      default:
        return WRONG_SUBCOMMAND;
    }
  }

  const evaluation = (bySha: boolean, write: boolean): NodeCommand => ({
    arity: -3,
    flags: [write ? 'write' : 'readonly', 'no-script'],
    keys: (words) => Array.from({ length: keyCount(words) }, (_, i) => i + 3),
    prepare(words) {
      const [, source = '', numberWord = '', ...rest] = words;
      if (!/^\d{1,9}$/.test(numberWord)) return refuse('value is not an integer or out of range');
      const count = Number(numberWord);
      if (count > rest.length) return refuse("Number of keys can't be greater than number of args");
      return (client) => {
        const body = bySha ? scripts.body(source) : source;
        if (body === undefined) return NO_SCRIPT;
        return runScript(body, {
          keys: rest.slice(0, count),
          args: rest.slice(count),
          call: (inner) => call(client, inner),
        });
      };
    },
  });

  return {
    script: simple(-2, ['exclusive', 'no-script'], (words, _client, inExec) => script(words, inExec)),
    eval: evaluation(false, true),
    evalsha: evaluation(true, true),
    eval_ro: evaluation(false, false),
    evalsha_ro: evaluation(true, false),
  };
}

function keyCount(words: readonly string[]): number {
  const count = Number(words[2]);
  return Number.isInteger(count) && count > 0 ? Math.min(count, Math.max(0, words.length - 3)) : 0;
}
