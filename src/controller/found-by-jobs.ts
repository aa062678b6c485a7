/** What jobs have found out about the nodes of a cluster: the newest answer of each kind. A successor begins without. */
import type { CopyAnswers, CopyJob, Found } from '../decisions/jobs.ts';
import type { SpeedName } from '../operations/tuning.ts';
import type { Instant } from '../runtime/runtime.ts';
import type { NodeId } from '../topology/ids.ts';

export class FoundByJobs {
  readonly #found = new Map<NodeId, Found>();

  get(node: NodeId): Found | undefined {
    return this.#found.get(node);
  }

  learn<K extends keyof CopyAnswers>(node: NodeId, kind: K, of: string, answer: CopyAnswers[K], at: Instant): void {
    const known = this.#found.get(node);
    const answers = { ...known?.answers, [kind]: { of, answer, at } };
    this.#found.set(node, { ...known, answers, progress: null });
  }

  speed(node: NodeId, name: SpeedName, of: string, value: number | null, at: Instant): void {
    const known = this.#found.get(node) ?? { answers: {}, progress: null };
    this.#found.set(node, { ...known, speeds: { ...known.speeds, [name]: { of, value, at } } });
  }

  progress(node: NodeId, kind: CopyJob['kind'], done: number, of: number): void {
    const known = this.#found.get(node) ?? { answers: {} };
    this.#found.set(node, { ...known, progress: { kind, done, of } });
  }

  forget(node: NodeId): void {
    this.#found.delete(node);
  }
}
