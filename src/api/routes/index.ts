import type { Api, ApiContext } from '../context.ts';
import { checkRoutes } from './check.ts';
import { clusterRoutes } from './clusters.ts';
import { eventRoutes } from './events.ts';
import { moveRoutes } from './moves.ts';
import { namespaceRoutes } from './namespaces.ts';
import { nodeRoutes } from './nodes.ts';
import { operationRoutes } from './operations.ts';
import { planRoutes } from './plans.ts';
import { readmitRoutes } from './readmit.ts';
import { salvageRoutes } from './salvage.ts';
import { settingsRoutes } from './settings.ts';
import { shardRoutes } from './shards.ts';
import { systemRoutes } from './system.ts';
import { whyRoutes } from './why.ts';

export function allRoutes(api: Api, context: ApiContext): void {
  namespaceRoutes(api, context);
  clusterRoutes(api, context);
  shardRoutes(api, context);
  nodeRoutes(api, context);
  moveRoutes(api, context);
  planRoutes(api, context);
  operationRoutes(api, context);
  settingsRoutes(api, context);
  whyRoutes(api, context);
  eventRoutes(api, context);
  readmitRoutes(api, context);
  salvageRoutes(api, context);
  checkRoutes(api, context);
  systemRoutes(api, context);
}
