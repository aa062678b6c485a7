/** All work on the nodes of a cluster beyond telling them a topology, and what it brought: facts for decisions. */
import type { Found, Jobs } from '../decisions/jobs.ts';
import type { Trace } from '../decisions/world.ts';
import type { Connection } from '../kvrocks/connection.ts';
import type { OperationId } from '../operations/intended.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Cluster } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { CopyJobs, type CopyMeans, NO_MEANS } from './copy-jobs.ts';
import { FoundByJobs } from './found-by-jobs.ts';
import { JobRunner } from './job-runner.ts';
import type { Log } from './log.ts';

export interface NodeWorkContext {
  readonly runtime: Runtime;
  readonly log: Log;
  readonly copying?: CopyMeans | undefined;
  /** Leadership surely holds for a while longer. */
  mayAct(): boolean;
}

export interface NodeWorkHandlers {
  learned(operation: OperationId, facts: Partial<Trace>): void;
  /** A decision may turn out otherwise. */
  seen(): void;
  /** It has come to where it was waited for: what was last seen of it is of the past. */
  arrived(node: NodeId): void;
  /** Over the connection of this number, on which the node was fenced; undefined when that is gone. */
  use<T>(node: NodeId, connection: number, work: (connection: Connection) => Promise<T>): Promise<T | undefined>;
}

export class NodeWork {
  readonly #runner: JobRunner;
  readonly #copies: CopyJobs;
  readonly #found = new FoundByJobs();
  readonly #resets = new Map<NodeId, string>();

  constructor(context: NodeWorkContext, { namespace, name, password }: Cluster, on: NodeWorkHandlers) {
    const { runtime, log } = context;
    this.#runner = new JobRunner(runtime, password, {
      mayAct: () => context.mayAct(),
      reached: ({ operation, node, goal }, reached) => {
        on.learned(operation, { reached });
        if (reached >= goal) on.arrived(node);
      },
      migrated: (operation, migration) => on.learned(operation, { migration }),
      tuned: ({ node, name }, of, value) => {
        this.#found.speed(node, name, of, value, runtime.clock.now());
        on.seen();
      },
      reset: (node, how) => {
        this.#resets.set(node, how);
        on.seen();
      },
    });
    this.#copies = new CopyJobs(
      { runtime, namespace, cluster: name, password, ...(context.copying ?? NO_MEANS) },
      {
        found: (node, kind, of, answer) => {
          this.#found.learn(node, kind, of, answer, runtime.clock.now());
          on.seen();
        },
        progress: (node, kind, done, of) => this.#found.progress(node, kind, done, of),
        failed: (node, kind, why) => {
          log.warn({ node, kind, why }, 'a job about a node was given up and is tried again');
          on.seen();
        },
        mayAct: () => context.mayAct(),
        use: (node, connection, work) => on.use(node, connection, work),
      },
    );
  }

  /** How a node was reset, in words, once it was. */
  resetDone(node: NodeId): string | undefined {
    return this.#resets.get(node);
  }

  found(node: NodeId): Found | undefined {
    return this.#found.get(node);
  }

  run(jobs: Jobs): void {
    this.#runner.run(jobs);
    this.#copies.run(jobs.copies);
  }

  forget(node: NodeId): void {
    this.#resets.delete(node);
    this.#found.forget(node);
  }

  close(): void {
    this.#runner.close();
    this.#copies.close();
  }
}
