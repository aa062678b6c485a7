/**
 * The answer to `GET cluster` as bytes, kept while nothing changed: the controller hands out the same objects until
 * then, so their identity is the key and nothing is ever invalidated by hand.
 */
import type { ClusterView, MoveView } from '../controller/control-plane.ts';
import type { Cluster } from '../topology/cluster.ts';
import { COMMON_HEADERS, JSON_TYPE } from './headers.ts';
import { clusterBody } from './views.ts';

interface Answer {
  readonly moves: readonly MoveView[];
  readonly headers: Record<string, string | number>;
  readonly bytes: Buffer;
}

const answers = new WeakMap<Cluster, Answer>();

export const etagOf = (view: ClusterView): string => `"${view.cluster.version}"`;

/** The whole answer, passwords masked. */
export function clusterAnswer(view: ClusterView): Answer {
  const known = answers.get(view.cluster);
  if (known !== undefined && known.moves === view.moves) return known;
  const bytes = Buffer.from(JSON.stringify({ data: { cluster: clusterBody(view, 'masked') } }));
  const headers = {
    ...COMMON_HEADERS,
    etag: etagOf(view),
    'content-type': JSON_TYPE,
    'content-length': bytes.length,
  };
  const answer = { moves: view.moves, headers, bytes };
  answers.set(view.cluster, answer);
  return answer;
}
