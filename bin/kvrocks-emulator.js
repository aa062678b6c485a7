#!/usr/bin/env node
const found = process.versions.node;
if (Number(found.split('.')[0]) < 24) {
  console.error(`kvrocks-emulator needs Node.js 24 or newer; this is ${found}.`);
  process.exit(1);
}
import('node:module').then((nodeModule) => {
  // Halves the time to start; without a folder to write to it does nothing. Written at once, since nodes get killed.
  nodeModule.enableCompileCache();
  return import('../src/emulator/main.ts').then(() => nodeModule.flushCompileCache());
});
