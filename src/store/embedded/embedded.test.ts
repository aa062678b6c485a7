import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeRuntime } from '../../runtime/node-runtime.ts';
import { storeContract } from '../contract.ts';
import { openEmbeddedStore } from './embedded-store.ts';

storeContract('embedded', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'kvctl-store-'));
  const store = await openEmbeddedStore({ dir, address: '127.0.0.1:9379', runtime: nodeRuntime(), reserve: 4_096 });
  return {
    client: async () => store,
    close: async () => {
      await store.close();
      rmSync(dir, { recursive: true });
    },
  };
});
