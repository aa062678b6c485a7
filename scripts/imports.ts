/** The rules on who may import whom and who may touch the platform, as a function of the files. */
import { posix } from 'node:path';

/** Rooms that each room may import beside itself; `simulation` and `server` join all of them. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  topology: ['runtime'],
  operations: ['topology', 'runtime'],
  checks: ['topology', 'operations', 'runtime'],
  decisions: ['operations', 'topology', 'runtime'],
  kvrocks: ['runtime'],
  store: ['runtime'],
  controller: ['decisions', 'operations', 'topology', 'checks', 'kvrocks', 'store', 'runtime'],
  web: ['controller', 'topology', 'runtime'],
  api: ['controller', 'topology', 'web', 'runtime'],
  cli: ['topology', 'runtime'],
  emulator: ['runtime'],
  runtime: [],
};
const JOINING = ['server', 'simulation'];

/** Of a room, these only: the rest is its own affair. */
const DOORS: Readonly<Record<string, { readonly from: readonly string[]; readonly files: readonly string[] }>> = {
  store: { from: ['controller'], files: ['src/store/port.ts'] },
};

/** Where the product meets the platform: by nature sockets, files, threads or a terminal. */
const EDGES = [
  'src/runtime/',
  'src/server/',
  'src/store/embedded/',
  'src/api/server.ts',
  'src/cli/main.ts',
  // Turns virtual time by turns of the real event loop.
  'src/simulation/event-loop.ts',
  'src/simulation/main.ts',
  'src/emulator/main.ts',
  'src/emulator/shell.ts',
  'src/emulator/host.ts',
  'src/emulator/store.ts',
  'src/emulator/control.ts',
];

const PLATFORM_MODULES =
  /^node:(?:net|tls|dgram|dns|http|https|http2|fs|sqlite|worker_threads|child_process|cluster|timers|perf_hooks|os|readline)(?:\/|$)/;

const PLATFORM_NAMES: readonly { readonly pattern: RegExp; readonly remedy: string }[] = [
  {
    pattern: /(?<![.\w])Date\.now\b|(?<![.\w])Date\(\s*\)/,
    remedy: 'take clock.now() of the runtime, or clock.wall() for records',
  },
  { pattern: /(?<![.\w])performance\./, remedy: 'take clock.now() of the runtime' },
  { pattern: /\bhrtime\b/, remedy: 'take clock.now() of the runtime' },
  {
    pattern: /\bMath\.random\b|\b(?:randomUUID|randomBytes|randomInt|getRandomValues)\b/,
    remedy: "draw from a child of the runtime's random source",
  },
  { pattern: /(?<![.\w])(?:setTimeout|setInterval|setImmediate)\b/, remedy: 'take timers.after() of the runtime' },
];

export interface Violation {
  /** `path:line`. */
  readonly at: string;
  readonly what: string;
  readonly remedy: string;
}

interface Import {
  readonly to: string;
  readonly line: number;
  readonly typeOnly: boolean;
  /** Loaded with the file, not when it is asked for. */
  readonly atOnce: boolean;
}

const STRING = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/;
const COMMENT = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/;

const blank = (text: string): string => text.replace(/[^\n]/g, ' ');

/** Line breaks stay, so that positions do. */
function withoutComments(source: string): string {
  return source.replace(new RegExp(`(${STRING.source})|${COMMENT.source}`, 'g'), (all, string) => string ?? blank(all));
}

/** Templates stay: code stands in them. */
const withoutStrings = (source: string): string =>
  source.replace(new RegExp(STRING.source, 'g'), (all) => (all.startsWith('`') ? all : blank(all)));

const IMPORTS = [
  /^[ \t]*(?:import|export)(?<type>\s+type\b)?[^'"`;]*?\bfrom\s*['"](?<to>[^'"]+)['"]/gm,
  /^[ \t]*import\s*['"](?<to>[^'"]+)['"]/gm,
  /\bimport\(\s*['"](?<to>[^'"]+)['"]/g,
  // Threads.
  /\bnew URL\(\s*['"](?<to>\.[^'"]+\.ts)['"]/g,
  /['"](?<to>\.\/[^'"]+\.ts)['"]\s*:/g,
];

const lineOf = (source: string, index: number): number => source.slice(0, index).split('\n').length;

function importsOf(path: string, source: string): readonly Import[] {
  return IMPORTS.flatMap((pattern) =>
    [...source.matchAll(pattern)].map((match) => {
      const to = match.groups?.['to'] ?? '';
      return {
        to: to.startsWith('.') ? posix.normalize(posix.join(posix.dirname(path), to)) : to,
        line: lineOf(source, match.index + match[0].search(/\S/)),
        typeOnly: match.groups?.['type'] !== undefined,
        atOnce: /^\s*(?:import|export)[^(]/.test(match[0]),
      };
    }),
  );
}

const roomOf = (path: string): string | undefined => /^src\/([^/]+)\//.exec(path)?.[1];
const isTest = (path: string): boolean => path.endsWith('.test.ts') || path.endsWith('/testing.ts');
const isEdge = (path: string): boolean =>
  EDGES.some((edge) => path === edge || (edge.endsWith('/') && path.startsWith(edge)));

class Graph {
  readonly #imports: ReadonlyMap<string, readonly Import[]>;
  readonly sources: ReadonlyMap<string, string>;

  constructor(files: ReadonlyMap<string, string>) {
    this.sources = new Map([...files].map(([path, source]) => [path, withoutComments(source)]));
    this.#imports = new Map([...this.sources].map(([path, source]) => [path, importsOf(path, source)]));
  }

  from(path: string): readonly Import[] {
    return this.#imports.get(path) ?? [];
  }

  /** Files within `src` only, the roots included where they are. */
  reachable(roots: readonly string[]): ReadonlySet<string> {
    const reached = new Set<string>();
    const waiting = [...roots];
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      if (reached.has(path) || !this.#imports.has(path)) continue;
      reached.add(path);
      waiting.push(...this.from(path).map(({ to }) => to));
    }
    return new Set([...reached].filter((path) => path.startsWith('src/')).sort());
  }

  /** Cycles of files that cannot be loaded one without the other; types alone close none. */
  cycles(within: ReadonlySet<string>): readonly (readonly string[])[] {
    const done = new Set<string>();
    const found: string[][] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      const at = trail.indexOf(path);
      if (at >= 0) found.push([...trail.slice(at), path]);
      if (at >= 0 || done.has(path)) return;
      for (const { to, typeOnly, atOnce } of this.from(path)) {
        if (within.has(to) && atOnce && !typeOnly) visit(to, [...trail, path]);
      }
      done.add(path);
    };
    for (const path of within) visit(path, []);
    return found;
  }
}

function directionFault(path: string, to: string): Omit<Violation, 'at'> | undefined {
  const room = roomOf(path);
  const other = roomOf(to);
  if (room === undefined || other === undefined || room === other || JOINING.includes(room)) return undefined;
  const allowed = ROOMS[room];
  if (allowed === undefined) {
    return {
      what: `${room} is no room that is known`,
      remedy: 'declare it and what it may import in scripts/imports.ts',
    };
  }
  if (!allowed.includes(other)) {
    const may = allowed.length === 0 ? 'nothing outside itself' : `only ${allowed.join(', ')}`;
    return {
      what: `${room} may not import ${other} (${to})`,
      remedy: `${room} imports ${may}: take it as a parameter, or move it to where both may reach it`,
    };
  }
  const door = DOORS[other];
  if (door?.from.includes(room) && !door.files.includes(to)) {
    return {
      what: `${room} reaches behind ${door.files.join(', ')} (${to})`,
      remedy: 'use the port; the engine is handed in from outside',
    };
  }
  return undefined;
}

function platformFaults(path: string, source: string, imports: readonly Import[]): readonly Violation[] {
  if (isEdge(path)) return [];
  const bare = withoutStrings(source);
  const modules = imports
    .filter(({ to, typeOnly }) => !typeOnly && PLATFORM_MODULES.test(to))
    .map(({ to, line }) => ({
      at: `${path}:${line}`,
      what: `${to} is the platform's`,
      remedy: 'take it from the runtime, or move the code to an edge listed in scripts/imports.ts',
    }));
  const names = PLATFORM_NAMES.flatMap(({ pattern, remedy }) =>
    [...bare.matchAll(new RegExp(pattern, 'g'))].map((match) => ({
      at: `${path}:${lineOf(bare, match.index)}`,
      what: `${match[0]} is the platform's`,
      remedy,
    })),
  );
  return [...modules, ...names];
}

/**
 * `files`: path from the project's folder to source, of src and of what starts it. The rules hold for what the
 * programs and the simulation reach; tests and what only they reach are free.
 */
export function violations(files: ReadonlyMap<string, string>, roots: readonly string[]): readonly Violation[] {
  const graph = new Graph(files);
  const product = graph.reachable(roots);
  const found: Violation[] = [];
  for (const path of product) {
    const imports = graph.from(path);
    for (const { to, line } of imports) {
      const at = `${path}:${line}`;
      if (isTest(to))
        found.push({
          at,
          what: `the product imports a test's file (${to})`,
          remedy: 'move what it needs out of there',
        });
      const fault = directionFault(path, to);
      if (fault !== undefined) found.push({ at, ...fault });
    }
    found.push(...platformFaults(path, graph.sources.get(path) ?? '', imports));
  }
  for (const cycle of graph.cycles(product)) {
    found.push({
      at: cycle[0] ?? '',
      what: `files import each other: ${cycle.join(' -> ')}`,
      remedy: 'move what both need into a file of its own',
    });
  }
  return found;
}
