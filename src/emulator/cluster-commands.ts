/** CLUSTER and CLUSTERX: the words of their sub-commands and the order in which Kvrocks looks at them. */
import type { Cluster } from './cluster.ts';
import { type Action, type NodeCommand, type NodeCommands, refuse } from './commands.ts';
import { array, bulk, type Core, error, integer, OK, verbatim } from './core.ts';
import type { Reply } from './reply.ts';
import { parseInteger, parseSlotWords } from './slot-words.ts';
import { slotOf } from './slots.ts';
import { ID_LENGTH } from './topology-text.ts';

type Prepared = ReturnType<NodeCommand['prepare']>;

const CLUSTER_USAGE = 'CLUSTER command, CLUSTER INFO|NODES|SLOTS|KEYSLOT|RESET|REPLICAS';
const CLUSTERX_USAGE = 'CLUSTERX command, CLUSTERX VERSION|MYID|SETNODEID|SETNODES|SETSLOT|MIGRATE';
const NOT_INITIALIZED: Reply = { kind: 'error', text: 'CLUSTERDOWN The cluster is not initialized' };

export function clusterCommands(core: Core, cluster: Cluster): NodeCommands {
  const enabled =
    (action: Action): Action =>
    (client, inExec) =>
      core.settings.on('cluster-enabled') ? action(client, inExec) : error('Cluster mode is not enabled');
  const withTopology = (give: () => Reply): Action =>
    enabled(() => (cluster.topology.known ? give() : NOT_INITIALIZED));
  const wrap = (prepared: Prepared): Prepared => (typeof prepared === 'function' ? enabled(prepared) : prepared);

  function nodes(): Reply {
    if (cluster.topology.hollow) {
      core.crash('CLUSTER NODES: a node of the topology is null');
      return OK;
    }
    return verbatim(cluster.nodesText());
  }

  function slots(): Reply {
    return array(
      cluster.topology
        .rows()
        .map((row) =>
          array([
            integer(row.first),
            integer(row.last),
            ...row.nodes.map((node) => array([bulk(node.host), integer(node.port), bulk(node.id)])),
          ]),
        ),
    );
  }

  function replicas(id: string): Reply {
    const node = cluster.topology.node(id);
    if (node === undefined) return error('Invalid cluster node id');
    if (node.role !== 'master') return error("The node isn't a master");
    return verbatim(cluster.topology.replicasText(node, core.moment.wall));
  }

  function prepareCluster(words: readonly string[]): Prepared {
    const [, name = '', first = '', second = ''] = words;
    const count = words.length;
    switch (name.toLowerCase()) {
      case 'info':
        return count === 2 ? withTopology(() => verbatim(cluster.infoText())) : refuse(CLUSTER_USAGE);
      case 'nodes':
        return count === 2 ? withTopology(nodes) : refuse(CLUSTER_USAGE);
      case 'slots':
        return count === 2 ? withTopology(slots) : refuse(CLUSTER_USAGE);
      case 'keyslot':
        return count === 3 ? enabled(() => integer(slotOf(first))) : refuse(CLUSTER_USAGE);
      case 'replicas':
        return count === 3 ? withTopology(() => replicas(first)) : refuse(CLUSTER_USAGE);
      case 'reset':
        if (count > 3) return refuse(CLUSTER_USAGE);
        if (count === 3 && !['hard', 'soft'].includes(first.toLowerCase())) return refuse('syntax error');
        return enabled(() => cluster.reset());
      case 'import':
        return prepareImport(count, first, second);
      default:
        return refuse(CLUSTER_USAGE);
    }
  }

  function prepareImport(count: number, slotWords: string, state: string): Prepared {
    if (count !== 4) return refuse('wrong number of arguments');
    const ranges = parseSlotWords(slotWords);
    if ('refused' in ranges) return refuse(ranges.refused);
    const range = ranges.value[0];
    if (range === undefined || !/^[012]$/.test(state)) return refuse('Invalid import state');
    return enabled((client) => cluster.importSlots(range, Number(state), client));
  }

  function prepareClusterX(words: readonly string[]): Prepared {
    const [, name = '', first = ''] = words;
    const count = words.length;
    switch (name.toLowerCase()) {
      case 'version':
        return count === 2 ? enabled(() => bulk(String(cluster.topology.version))) : refuse(CLUSTERX_USAGE);
      case 'myid':
        return count === 2 ? enabled(() => bulk(cluster.topology.myId)) : refuse(CLUSTERX_USAGE);
      case 'setnodeid':
        if (count !== 3 || first.length !== ID_LENGTH) return refuse(CLUSTERX_USAGE);
        return enabled(() => cluster.setId(first));
      case 'setnodes':
        return wrap(prepareSetNodes(words));
      case 'setslot':
        return wrap(prepareSetSlot(words));
      case 'migrate':
        return wrap(prepareMigrate(words));
      default:
        return refuse(CLUSTERX_USAGE);
    }
  }

  function prepareSetNodes(words: readonly string[]): Prepared {
    const [, , text = '', versionWord = '', option, ...rest] = words;
    if (words.length < 4) return refuse(CLUSTERX_USAGE);
    const version = parseInteger(versionWord);
    if (version === undefined) return refuse('Invalid version');
    if (rest.length > 0 || (option !== undefined && option.toLowerCase() !== 'force')) {
      return refuse('Invalid setnodes options');
    }
    return (_client, inExec) => cluster.setNodes(text, version, option !== undefined, inExec);
  }

  function prepareSetSlot(words: readonly string[]): Prepared {
    const [, , slotWords = '', option = '', id = '', versionWord = ''] = words;
    if (words.length !== 6) return refuse(CLUSTERX_USAGE);
    const ranges = parseSlotWords(slotWords);
    if ('refused' in ranges) return refuse(ranges.refused);
    if (option.toLowerCase() !== 'node') return refuse('Invalid setslot options');
    if (id.length !== ID_LENGTH) return refuse('Invalid node id');
    const version = parseInteger(versionWord);
    if (version === undefined) return refuse('value is not an integer or out of range');
    if (version < 0n) return refuse('Invalid version');
    return () => cluster.setSlots(ranges.value, id, version);
  }

  function prepareMigrate(words: readonly string[]): Prepared {
    const [, , slotWords = '', id = '', flag, timeoutWord] = words;
    if (words.length < 4 || words.length > 6) return refuse('wrong number of arguments');
    const ranges = parseSlotWords(slotWords);
    if ('refused' in ranges) return refuse(ranges.refused);
    const range = ranges.value[0];
    if (range === undefined) return refuse('No slots to parse.');
    const mode = flag?.toLowerCase() ?? 'async';
    if (mode !== 'sync' && mode !== 'async') return refuse('Invalid sync flag');
    if (mode === 'async') {
      if (timeoutWord !== undefined) return refuse('Async migration does not support timeout');
      return () => cluster.migrate(range, id, undefined);
    }
    const timeout = parseInteger(timeoutWord ?? '0');
    if (timeout === undefined || timeout > 2147483647n) return refuse('timeout is not an integer or out of range');
    if (timeout < 0n) return refuse('timeout is negative');
    return () => cluster.migrate(range, id, { timeout: Number(timeout) });
  }

  return {
    cluster: { arity: -2, flags: ['no-script', 'admin'], prepare: prepareCluster },
    clusterx: { arity: -2, flags: ['no-script', 'admin'], prepare: prepareClusterX },
  };
}
