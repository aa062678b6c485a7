/** One process of the control plane: store, controller and HTTP API joined, and taken apart again in order. */

import type { ApiLog } from '../api/context.ts';
import { createApi, listen } from '../api/server.ts';
import { Controller } from '../controller/controller.ts';
import { EVENT_PREFIX } from '../controller/records.ts';
import type { Policy } from '../decisions/world.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { openEmbeddedStore } from '../store/embedded/embedded-store.ts';
import { type Address, formatAddress } from '../topology/address.ts';

export interface ServeSettings {
  readonly address: Address;
  readonly dataDir: string;
  readonly version: string;
  readonly policy: Policy;
  readonly log: ApiLog;
}

export interface Serving {
  readonly address: Address;
  /** Finishes what runs: no new requests, then no new decisions, then the store is closed. */
  stop(): Promise<void>;
}

/** Rejects with a `StoreOpenError`, or the listener's own error, when it cannot begin; nothing stays open then. */
export async function serve(runtime: Runtime, settings: ServeSettings): Promise<Serving> {
  const identity = formatAddress(settings.address);
  const store = await openEmbeddedStore({
    dir: settings.dataDir,
    address: identity,
    runtime,
    historyPrefix: EVENT_PREFIX,
  });
  const controller = new Controller({ runtime, store, identity, log: settings.log, policy: settings.policy });
  const api = createApi({ plane: controller, version: settings.version, log: settings.log, runtime });
  try {
    const address = await listen(api, settings.address);
    controller.start();
    return {
      address,
      stop: async () => {
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
