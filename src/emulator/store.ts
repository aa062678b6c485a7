/** Where a node keeps nodes.conf, its data file and its configuration: a folder, or memory for short lives. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { StoredState } from './events.ts';

export interface NodeStore {
  load(): StoredState;
  append(lines: string): void;
  replaceData(text: string): void;
  /** The system's word for why it failed, or undefined. */
  saveNodes(text: string): string | undefined;
  removeNodes(): void;
  saveConfig(text: string): void;
  close(): void;
}

/** Outlives the node, not the process. */
export function memoryStore(): NodeStore {
  let nodes: string | undefined;
  let config: string | undefined;
  let data: string[] = [];
  return {
    load: () => ({ nodes, config, data: data.flatMap(wholeLines) }),
    append: (lines) => {
      data.push(lines);
    },
    replaceData: (text) => {
      data = [text];
    },
    saveNodes: (text) => {
      nodes = text;
      return undefined;
    },
    removeNodes: () => {
      nodes = undefined;
    },
    saveConfig: (text) => {
      config = text;
    },
    close: () => {},
  };
}

/**
 * Files of one folder, which is made if it is missing: `nodes.conf` as Kvrocks writes it, `data.log` with one batch a
 * line, `kvrocks.conf` after CONFIG REWRITE. Every write has reached the system when it returns, so it survives kill -9.
 * Throws if the folder cannot be written.
 */
export function folderStore(dir: string): NodeStore {
  makeFolder(dir);
  const nodesFile = join(dir, 'nodes.conf');
  const dataFile = join(dir, 'data.log');
  const configFile = join(dir, 'kvrocks.conf');
  const replace = (file: string, text: string) => {
    writeFileSync(`${file}.tmp`, text, 'latin1');
    renameSync(`${file}.tmp`, file);
  };
  let fd: number | undefined;
  return {
    load() {
      const text = read(dataFile) ?? '';
      const end = text.lastIndexOf('\n') + 1;
      // A line that was torn by the end of the process is no batch.
      if (end < text.length) replace(dataFile, text.slice(0, end));
      if (fd !== undefined) closeSync(fd);
      fd = openSync(dataFile, 'a');
      return { nodes: read(nodesFile), config: read(configFile), data: wholeLines(text.slice(0, end)) };
    },
    append(lines) {
      fd ??= openSync(dataFile, 'a');
      writeAll(fd, lines);
    },
    replaceData(text) {
      if (fd !== undefined) closeSync(fd);
      replace(dataFile, text);
      fd = openSync(dataFile, 'a');
    },
    saveNodes(text) {
      try {
        replace(nodesFile, text);
        return undefined;
      } catch (error) {
        return reasonOf(error);
      }
    },
    removeNodes: () => rmSync(nodesFile, { force: true }),
    saveConfig: (text) => replace(configFile, text),
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}

/** Makes a folder and those above it. Node's own recursive way does not return from places such as /proc. */
export function makeFolder(dir: string): void {
  if (existsSync(dir)) return;
  if (!existsSync(dirname(dir))) makeFolder(dirname(dir));
  mkdirSync(dir);
}

function wholeLines(text: string): readonly string[] {
  const lines = text.split('\n');
  lines.pop();
  return lines;
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text, 'latin1');
  let at = 0;
  while (at < bytes.length) at += writeSync(fd, bytes, at);
}

/** Undefined if there is no such file, or no file of that name. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'EISDIR') return undefined;
    throw error;
  }
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'EISDIR':
      return 'Is a directory';
    case 'EACCES':
      return 'Permission denied';
    case 'ENOENT':
      return 'No such file or directory';
    case 'ENOSPC':
      return 'No space left on device';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
