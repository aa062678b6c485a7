/** `kvctl-server`. */
import { parseArgs } from 'node:util';
import pino from 'pino';
import { DETECTION } from '../decisions/world.ts';
import { nodeRuntime } from '../runtime/node-runtime.ts';
import { parseAddress } from '../topology/address.ts';
import { serve } from './serve.ts';

export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { addr: { type: 'string', default: '127.0.0.1:9379' }, 'data-dir': { type: 'string', default: './data' } },
  });
  const address = parseAddress(values.addr);
  if (address === undefined) {
    console.error(`--addr ${values.addr}: no address`);
    return 2;
  }
  const log = pino({ level: process.env['KVCTL_LOG'] ?? 'info' });
  const serving = await serve(nodeRuntime(), {
    address,
    dataDir: values['data-dir'],
    version: '0.1.0',
    policy: { tolerance: DETECTION.tolerance },
    log,
  });
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  await serving.stop();
  return 0;
}
