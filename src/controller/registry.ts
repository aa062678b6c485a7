/**
 * What spans clusters: the names of namespaces and clusters. Creating and importing reserves the nodes first and
 * stores last; deleting releases last. A crash in between leaves nothing behind.
 */
import { brokenPromises } from '../checks/promises.ts';
import { activeMoves, type Intended, switchoverOf } from '../operations/intended.ts';
import type { RandomSource, Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import type { Store, Write } from '../store/port.ts';
import { type Address, formatAddress, sameAddress } from '../topology/address.ts';
import { clusterKey, nodesOf } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { failedChecks } from './adoption.ts';
import { type Building, buildCluster, groupFailures, importCluster } from './building.ts';
import * as changes from './changes.ts';
import type { Owner } from './claims.ts';
import {
  type ClusterName,
  type NewCluster,
  type NodeChecks,
  WAIT_FOR_NODES,
  type WriteOptions,
} from './control-plane.ts';
import { cancelMoves } from './move-changes.ts';
import { checkNode, type NodeFacts } from './node-check.ts';
import { encode, eventPrefix, evidencePrefix, namespaceKey, stateKey, topologyKey } from './records.ts';
import { alreadyExists, notFound, Refusal } from './refusal.ts';
import type { Reign } from './reign.ts';
import type { Supervisor } from './supervisor.ts';

export interface RegistryContext {
  readonly runtime: Runtime;
  readonly store: Store;
  readonly random: RandomSource;
}

const END_OPERATIONS = 5_000;
/** Milliseconds that servers have to get their settings back. */
const PUT_BACK = 1_500;

export class Registry {
  readonly #context: RegistryContext;

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  /** Sorted. */
  clusters(reign: Reign, namespace: string): readonly string[] {
    reign.namespace(namespace);
    const prefix = `${namespace}/`;
    return [...reign.clusters.keys(), ...reign.setAside.keys()]
      .filter((owner) => owner.startsWith(prefix))
      .map((owner) => owner.slice(prefix.length))
      .sort();
  }

  async createNamespace(reign: Reign, namespace: string): Promise<void> {
    if (reign.namespaces.has(namespace)) throw alreadyExists(`namespace ${namespace}`);
    const revision = await reign.write([{ key: namespaceKey(namespace), expected: 0, value: namespace }], () =>
      alreadyExists(`namespace ${namespace}`),
    );
    reign.namespaces.set(namespace, revision);
  }

  async deleteNamespace(reign: Reign, namespace: string): Promise<void> {
    const revision = reign.namespace(namespace);
    const clusters = this.clusters(reign, namespace);
    if (clusters.length > 0) {
      throw new Refusal(
        'not_empty',
        `namespace ${namespace} still holds ${clusters.join(', ')}; delete what it holds first`,
      );
    }
    const busy = [...reign.creating].find((owner) => owner.startsWith(`${namespace}/`));
    if (busy !== undefined) throw new Refusal('operation_running', `cluster ${busy} is being created in it`);
    await reign.write([{ key: namespaceKey(namespace), expected: revision, value: null }], () =>
      notFound(`namespace ${namespace}`),
    );
    reign.namespaces.delete(namespace);
  }

  building(): Building {
    return { random: this.#context.random, createdAt: Math.floor(this.#context.runtime.clock.wall() / 1_000) };
  }

  async createCluster(
    reign: Reign,
    namespace: string,
    wanted: NewCluster,
    checks: NodeChecks,
    options: WriteOptions,
  ): Promise<void> {
    await this.#found(reign, namespace, wanted.name, options, async (owner, holding) => {
      holding.push(await reign.adoption.reserve(owner, wanted.nodes));
      const facts = await reign.adoption.check(wanted.nodes, wanted.password);
      reign.adoption.checkIds(owner, facts);
      const groups = facts.length / wanted.replicas;
      const rules = {
        force: options.force === true,
        skipClusterMode: checks.skipClusterMode === true,
        masterMayHoldData: groups === 1,
      };
      const failures = Array.from({ length: groups }, (_, i) =>
        groupFailures(facts.slice(i * wanted.replicas, (i + 1) * wanted.replicas), rules, undefined),
      ).flat();
      if (failures.length > 0) throw failedChecks(failures);
      return buildCluster(namespace, wanted.name, facts, wanted.replicas, wanted.password, this.building());
    });
  }

  async importCluster(
    reign: Reign,
    name: ClusterName,
    nodes: readonly Address[],
    password: Secret,
    options: WriteOptions,
  ): Promise<void> {
    await this.#found(reign, name.namespace, name.cluster, options, async (owner, holding) => {
      const asked = await reign.adoption.check(nodes, password);
      const newest = [...asked].sort((a, b) => b.version - a.version)[0];
      if (newest?.topology == null)
        throw failedChecks([
          { node: nodes.map(formatAddress).join(', '), reasons: ['carries no topology; create the cluster instead'] },
        ]);
      const lines = [...newest.topology.nodes.values()];
      const addresses = lines.map(({ host, port }) => ({ host, port }));
      for (const address of nodes) {
        if (
          !addresses.some((other) => sameAddress(other, address)) &&
          !asked.some((one) => newest.topology?.nodes.has(one.id))
        ) {
          throw failedChecks([
            { node: formatAddress(address), reasons: ['is no node of the topology that it was to be imported with'] },
          ]);
        }
      }
      holding.push(await reign.adoption.reserve(owner, addresses));
      const checked = await Promise.all(
        addresses.map((address) => checkNode(this.#context.runtime, address, password)),
      );
      const reached = new Map<NodeId, NodeFacts>();
      for (const one of checked) if (one.ok) reached.set(one.facts.id, one.facts);
      reign.adoption.checkIds(owner, [...reached.values()]);
      const { namespace, cluster } = name;
      const imported = importCluster(namespace, cluster, newest.topology, reached, password, this.building());
      if (!imported.ok) throw failedChecks(imported.failures);
      return imported.intended;
    });
  }

  /** Stores a new cluster and begins to supervise it; nothing stays behind if `build` or the commit fails. */
  async #found(
    reign: Reign,
    namespace: string,
    name: string,
    options: WriteOptions,
    build: (owner: Owner, holding: (() => void)[]) => Promise<Intended>,
  ): Promise<void> {
    const revision = reign.namespace(namespace);
    const owner = clusterKey(namespace, name);
    if (reign.clusters.has(owner) || reign.setAside.has(owner))
      throw alreadyExists(`cluster ${name} in namespace ${namespace}`);
    if (reign.creating.has(owner))
      throw new Refusal('operation_running', `cluster ${name} is being created by another request`);
    reign.creating.add(owner);
    const holding: (() => void)[] = [];
    try {
      const intended = await build(owner, holding);
      const broken = brokenPromises(undefined, intended);
      if (broken.length > 0)
        throw new Refusal('node_check_failed', `the topology cannot be taken over: ${broken.join('; ')}`);
      // From the reservation of its addresses to the claim on all of its nodes, without a gap.
      await reign.claims.settle(owner, intended.cluster);
      try {
        const records = encode(intended);
        const written = await reign.write(
          [
            // The namespace must still be there when the cluster is.
            { key: namespaceKey(namespace), expected: revision, value: namespace },
            { key: topologyKey(namespace, name), expected: 0, value: records.topology },
            { key: stateKey(namespace, name), expected: 0, value: records.state },
          ],
          () => new Refusal('changed', `namespace ${namespace} or cluster ${name} was changed meanwhile; look again`),
        );
        reign.namespaces.set(namespace, written);
        reign.supervise(intended, { topology: written, state: written }, 0);
      } catch (error) {
        await reign.claims.settle(owner, undefined);
        throw error;
      }
    } finally {
      for (const release of holding) release();
      reign.creating.delete(owner);
    }
    await reign.clusters.get(owner)?.nodesKnow(options.wait ?? WAIT_FOR_NODES);
  }

  async deleteCluster(reign: Reign, name: ClusterName, reset: boolean, options: WriteOptions): Promise<void> {
    const owner = clusterKey(name.namespace, name.cluster);
    if (reign.setAside.has(owner)) return this.remove(reign, owner);
    const supervisor = reign.supervisor(name);
    changes.checkVersion(supervisor.intended, options.ifVersion);
    await supervisor.submit((world) => cancelMoves(world, 'all', options.caller.name, false));
    const idle = await supervisor.until(
      ({ intended }) => activeMoves(intended).length === 0 && switchoverOf(intended) === undefined,
      END_OPERATIONS,
    );
    if (!idle)
      throw new Refusal('operation_running', 'a move is under way and cannot be ended; try again when it is done');
    // What servers were set to while slots moved from them nobody knows afterwards; one that does not answer keeps it.
    await supervisor.until(({ intended }) => intended.tuned.length === 0, PUT_BACK);
    if (!reset) return this.remove(reign, owner);
    const unreachable = nodesOf(supervisor.intended.cluster).filter(
      (node) => supervisor.watchOf(node.id)?.state !== 'up',
    );
    if (unreachable.length > 0 && options.force !== true) {
      throw failedChecks(
        unreachable.map((node) => ({
          node: formatAddress(node.address),
          reasons: ['does not answer, so it cannot be reset; delete without reset, or pass force to leave it out'],
        })),
      );
    }
    await supervisor.submit((world) => changes.endCluster(world, options.caller.name));
    const done = await supervisor.until(
      ({ intended }) => intended.cluster.leaving.length === 0,
      Math.max(options.wait ?? 0, END_OPERATIONS),
    );
    if (done || options.force === true) return this.remove(reign, owner);
    const left = supervisor.intended.cluster.leaving.map((node) => formatAddress(node.address)).join(', ');
    throw new Refusal('outcome_unknown', `not reset yet: ${left}; the cluster goes when they are, see its status`);
  }

  remove(reign: Reign, owner: Owner): Promise<void> {
    const running = reign.removing.get(owner);
    if (running !== undefined) return running;
    const removal = this.#removeNow(reign, owner).finally(() => reign.removing.delete(owner));
    reign.removing.set(owner, removal);
    return removal;
  }

  /** From the store, then from memory; its nodes are free again. Its history goes with it. */
  async #removeNow(reign: Reign, owner: Owner): Promise<void> {
    const supervisor = reign.clusters.get(owner);
    const goOn = await supervisor?.rest();
    try {
      await this.#forget(reign, owner, supervisor);
    } catch (error) {
      goOn?.();
      throw error;
    }
  }

  async #forget(reign: Reign, owner: Owner, supervisor: Supervisor | undefined): Promise<void> {
    const [namespace = '', name = ''] = owner.split('/');
    const revisions = supervisor?.revisions ?? reign.setAside.get(owner)?.revisions;
    if (revisions === undefined) return;
    const writes: Write[] = [{ key: topologyKey(namespace, name), expected: revisions.topology, value: null }];
    if (revisions.state > 0) writes.push({ key: stateKey(namespace, name), expected: revisions.state, value: null });
    await reign.write(writes, () => new Refusal('changed', 'the cluster was changed meanwhile; try again'));
    supervisor?.close();
    reign.clusters.delete(owner);
    reign.setAside.delete(owner);
    await reign.claims.settle(owner, undefined);
    const { store } = this.#context;
    const kept = await Promise.all([eventPrefix, evidencePrefix].map((prefix) => store.list(prefix(namespace, name))));
    const entries = kept.flatMap((list) => list.entries);
    await store.commit(
      entries.map((entry) => ({ key: entry.key, expected: undefined, value: null })),
      reign.leadership.fence,
    );
  }
}
