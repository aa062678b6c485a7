import { nodeRuntime } from '../../runtime/node-runtime.ts';
import { storeContract } from '../contract.ts';
import { MemoryClient } from './client.ts';
import { MemoryServer } from './server.ts';

storeContract('memory', async () => {
  const runtime = nodeRuntime();
  const server = new MemoryServer({ runtime });
  const clients: MemoryClient[] = [];
  return {
    client: async () => {
      const client = new MemoryClient(server, runtime);
      clients.push(client);
      return client;
    },
    close: async () => {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
});
