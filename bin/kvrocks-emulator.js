#!/usr/bin/env node
const found = process.versions.node;
if (Number(found.split('.')[0]) < 24) {
  console.error(`kvrocks-emulator needs Node.js 24 or newer; this is ${found}.`);
  process.exit(1);
}
import('../src/emulator/main.ts');
