/** How kvctl ends: exit codes that scripts may rely on, and the failure that carries one. */

export const exits = {
  ok: { code: 0, meaning: 'done' },
  failed: { code: 1, meaning: 'any other failure' },
  usage: { code: 2, meaning: 'the command line, or a value in it, is wrong' },
  missing: { code: 3, meaning: 'the namespace, cluster, shard or node does not exist' },
  refused: { code: 4, meaning: 'the cluster’s state refuses it, or it exists already' },
  node: { code: 5, meaning: 'a node failed its check, or failed during the action' },
  unavailable: { code: 6, meaning: 'the controller cannot be reached, or nothing can be written at present' },
  unknown: { code: 7, meaning: 'it is not known whether it happened, or it was not finished in time' },
} as const satisfies Record<string, { readonly code: number; readonly meaning: string }>;

export type Exit = keyof typeof exits;

export const exitHelp = `Exit codes:\n${Object.values(exits)
  .map(({ code, meaning }) => `  ${code}  ${meaning}`)
  .join('\n')}`;

/** What ends a command without success. Printed on stderr: the message, its details, and what to do next. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly exit: Exit;
  readonly details: readonly string[];
  readonly next: string | undefined;

  constructor(exit: Exit, message: string, more: { details?: readonly string[]; next?: string | undefined } = {}) {
    super(message);
    this.exit = exit;
    this.details = more.details ?? [];
    this.next = more.next;
  }
}

export const usage = (message: string, next?: string): Failure => new Failure('usage', message, { next });
