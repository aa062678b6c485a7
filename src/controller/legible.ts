/**
 * Decisions name nodes by their ids, which never change; people know them by their addresses. What people read has
 * the address in place of every id that is known, and keeps the id in a field of its own.
 */
import { formatAddress } from '../topology/address.ts';
import { type Cluster, nodesOf } from '../topology/cluster.ts';

const ID = /\b[A-Za-z0-9]{40}\b/g;

/** Each of `clusters` is asked for a name: a node that has just left stands only in the earlier one. */
export function legible(text: string, ...clusters: readonly Cluster[]): string {
  return text.replace(ID, (id) => {
    for (const cluster of clusters) {
      const node = [...nodesOf(cluster), ...cluster.leaving].find((one) => one.id === id);
      if (node !== undefined) return formatAddress(node.address);
    }
    return id;
  });
}
