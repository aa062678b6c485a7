/**
 * What the other controllers see of a master that this one misses: a controller that is cut off from a node takes the
 * node for dead, and one that stands elsewhere knows better. They are asked at the first miss and again while it lasts;
 * those that do not answer do not count.
 */
import { myId } from '../kvrocks/commands/my-id.ts';
import { openConnection } from '../kvrocks/connection.ts';
import type { Outcome } from '../kvrocks/question.ts';
import type { Duration, Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import type { Address } from '../topology/address.ts';
import type { NodeId, ShardId } from '../topology/ids.ts';

/** About one master, as it is committed. */
export interface PeerQuestion {
  readonly namespace: string;
  readonly cluster: string;
  readonly shard: ShardId;
  readonly master: { readonly id: NodeId; readonly address: Address };
}

/**
 * `alive`: a process answers there, with this id or with an error that keeps it from naming one. `dead`: two new
 * connections in a row were refused. `silent`: neither in time, or another node answers.
 */
export type Opinion = 'alive' | 'dead' | 'silent';

/** The way to the other controllers over the same store. */
export interface Peers {
  /** How those that are known now are named, without one's own name. */
  known(): readonly string[];
  /** That one's opinion; undefined where none came within `within` ms. Never rejects, never takes longer. */
  ask(peer: string, question: PeerQuestion, within: Duration): Promise<Opinion | undefined>;
}

/** How long a peer tries to get an answer from the node, in ms. */
const LOOK_FOR: Duration = 500;
/** Between two attempts: a process that has its backlog full for a moment is not refused twice. */
const AGAIN_AFTER: Duration = 50;

/** Looks at the node itself, over new connections. Resolves within half a second; never rejects. */
export function lookAt(
  runtime: Runtime,
  master: PeerQuestion['master'],
  password: Secret | undefined,
): Promise<Opinion> {
  const options = { connectTimeout: LOOK_FOR, replyTimeout: LOOK_FOR };
  return new Promise((resolve) => {
    let refusals = 0;
    let stop = () => {};
    const finish = (opinion: Opinion) => {
      cancel();
      stop();
      resolve(opinion);
    };
    const cancel = runtime.timers.after(LOOK_FOR, () => finish('silent'));
    const attempt = () => {
      const connection = openConnection(
        runtime,
        master.address,
        password === undefined ? options : { ...options, password },
      );
      stop = () => connection.close();
      void connection.ask(myId()).then((answer) => {
        connection.close();
        if (answer.kind !== 'ended') return finish(opinionFrom(answer, master.id));
        // An end in the middle says nothing yet of the next attempt.
        if (answer.why.kind === 'refused' || answer.why.kind === 'reset') refusals++;
        else if (answer.why.kind !== 'eof') return finish('silent');
        if (refusals > 1) return finish('dead');
        stop = runtime.timers.after(AGAIN_AFTER, attempt);
      });
    };
    attempt();
  });
}

function opinionFrom(
  answer: Outcome<string> & { kind: 'reply' | 'error' | 'garbled' | 'timeout' },
  id: NodeId,
): Opinion {
  switch (answer.kind) {
    case 'reply':
      // Without an id it has just started: it is there, and what it holds is not for others to judge.
      return answer.value === id || answer.value === '' ? 'alive' : 'silent';
    case 'error':
      return 'alive';
    case 'garbled':
    case 'timeout':
      return 'silent';
  }
}
