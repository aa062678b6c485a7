#!/usr/bin/env node
// Written so that an old Node gets as far as the sentence below.
const needed = 24;
const found = process.versions.node;

if (Number(found.split('.')[0]) < needed) {
  console.error(`kvctl-server needs Node.js ${needed} or newer; this is ${found} (${process.execPath}).`);
  process.exitCode = 1;
} else {
  const { enableCompileCache } = await import('node:module');
  const { fileURLToPath } = await import('node:url');
  // Not in the system's temporary folder, where any user could lay code for this one to run.
  enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url)));
  const { main } = await import('../src/server/main.ts');
  process.exitCode = await main(process.argv.slice(2));
}
