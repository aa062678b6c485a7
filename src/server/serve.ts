/** One process of the control plane: store, controller and HTTP API joined, and taken apart again in order. */

import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Api, ApiLog } from '../api/context.ts';
import { createApi, listen } from '../api/server.ts';
import { Controller } from '../controller/controller.ts';
import { EVENT_PREFIX, EVIDENCE_PREFIX } from '../controller/records.ts';
import type { ClusterSettings } from '../operations/settings.ts';
import type { Duration, Runtime } from '../runtime/runtime.ts';
import { openEmbeddedStore } from '../store/embedded/embedded-store.ts';
import { type Address, formatAddress } from '../topology/address.ts';
import { salvageFolder } from './salvage-folder.ts';

/** How long running requests may take to be answered at the end; a write waits for the nodes for 2 s of them. */
const LAST_ANSWERS: Duration = 3_000;

export interface ServeSettings {
  readonly address: Address;
  readonly dataDir: string;
  readonly version: string;
  readonly policy: ClusterSettings;
  readonly log: ApiLog;
}

export interface Serving {
  readonly address: Address;
  /** Finishes what runs: no new connections, running requests answered, no new decisions, the store closed. */
  stop(): Promise<void>;
}

/** Rejects with a `StoreOpenError`, or the listener's own error, when it cannot begin; nothing stays open then. */
export async function serve(runtime: Runtime, settings: ServeSettings): Promise<Serving> {
  const identity = formatAddress(settings.address);
  const store = await openEmbeddedStore({
    dir: settings.dataDir,
    address: identity,
    runtime,
    historyPrefixes: [EVENT_PREFIX, EVIDENCE_PREFIX],
  });
  const { log, policy } = settings;
  const shelf = salvageFolder(join(settings.dataDir, 'salvage'));
  const controller = new Controller({ runtime, store, identity, log, policy, shelf });
  const api = createApi({ plane: controller, version: settings.version, log: settings.log, runtime });
  const running = runningRequests(api);
  try {
    const address = await listen(api, settings.address);
    controller.start();
    return {
      address,
      stop: async () => {
        api.server.close();
        await running.answered(runtime);
        api.server.closeAllConnections();
        await api.close();
        await controller.stop();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** An event stream has sent its headers and never ends: it is not waited for. */
const unanswered = (response: ServerResponse): boolean =>
  !response.closed && (response.writableEnded ? !response.writableFinished : !response.headersSent);

function runningRequests(api: Api): { answered(runtime: Pick<Runtime, 'timers'>): Promise<void> } {
  const running = new Set<ServerResponse>();
  let looked = () => {};
  api.server.on('request', (_request, response) => {
    running.add(response);
    response.once('close', () => {
      running.delete(response);
      looked();
    });
  });
  return {
    answered: ({ timers }) =>
      new Promise((resolve) => {
        const cancel = timers.after(LAST_ANSWERS, resolve);
        looked = () => {
          if ([...running].some(unanswered)) return;
          cancel();
          resolve();
        };
        looked();
      }),
  };
}
