/** Topologies on their way from a controller to a node that has a proxy. */
import { isPush, type Verdict } from './conversation.ts';
import type { KvNode } from './nodes.ts';
import { controllers } from './proxy.ts';

/** The versions that a node is pushed from now on; what is done about each SETNODES is for `judge` to say. */
export function pushes(
  node: KvNode,
  judge: (count: number) => Verdict | undefined = () => undefined,
): readonly number[] {
  const seen: number[] = [];
  node.proxy.impose(controllers, {
    judge: (words) => {
      if (!isPush(words)) return undefined;
      seen.push(Number(words[3]));
      return judge(seen.length);
    },
  });
  return seen;
}

/** `sent`: before the node hears of it. `answered`: when it has been applied, and nobody knows yet. */
export type Moment = 'sent' | 'answered';

/**
 * Does something at the moment of the node's next push, once; the push, or its answer, goes on when that is done. In a
 * transaction the push is its EXEC. Resolves when it is done.
 */
export function atPush(node: KvNode, moment: Moment, act: () => Promise<unknown> | unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    let queued = false;
    let over = false;
    const done = async () => {
      over = true;
      try {
        await act();
        resolve();
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    const heal = node.proxy.impose(controllers, {
      judge: (words) => {
        if (over) return undefined;
        const name = (words[0] ?? '').toUpperCase();
        if (name === 'MULTI') queued = true;
        const executes = name === 'EXEC' && queued;
        if (executes) queued = false;
        if (!executes && !(isPush(words) && !queued)) return undefined;
        if (moment === 'sent') return { after: done().finally(heal) };
        return {
          say: (answer) => {
            if (!over) void done().finally(heal);
            return answer;
          },
        };
      },
    });
  });
}
