import { type SettingRow, settingRows } from './settings-table.ts';

const rows: ReadonlyMap<string, SettingRow> = new Map(settingRows.map((row) => [row[0], row]));

/** Why a name or a value was refused, as a sentence without a full stop. */
export interface Refusal {
  readonly refused: string;
}

/** Where a node listens is not its own to keep. */
const GIVEN_AT_START = ['port', 'bind', 'dir'];

/** One node's configuration under the server's own option names. Values are texts, as CONFIG GET gives them. */
export class Settings {
  readonly #values = new Map<string, string>(settingRows.map(([name, , value]) => [name, value]));

  get(name: string): string {
    return this.#values.get(name) ?? '';
  }

  number(name: string): number {
    return Number(this.get(name));
  }

  on(name: string): boolean {
    return this.get(name) === 'yes';
  }

  /** As the configuration file does it: any known option, its value checked. */
  load(name: string, value: string): Refusal | undefined {
    const row = rows.get(name);
    if (row === undefined) return { refused: `unknown option ${name}; the nearest known one is ${nearest(name)}` };
    const why = complaint(row, value);
    if (why !== undefined) return { refused: `${name}: ${why}` };
    this.#store(name, value);
    return undefined;
  }

  /** As CONFIG SET does it: only what may change at run time. */
  set(name: string, value: string): Refusal | undefined {
    const row = rows.get(name.toLowerCase());
    if (row === undefined || row[1] === 'fixed') return { refused: `Unsupported CONFIG parameter: ${name}` };
    const why = complaint(row, value);
    if (why !== undefined) return { refused: why };
    this.#store(row[0], value);
    return undefined;
  }

  /** Sets what no client may: the address that a replica follows. */
  record(name: string, value: string): void {
    this.#store(name, value);
  }

  /** Names and values that match a glob pattern, ordered by name. */
  matching(pattern: string): readonly (readonly [string, string])[] {
    const name = pattern.toLowerCase();
    const value = this.#values.get(name);
    if (value !== undefined) return [[name, value]];
    const wanted = globOf(name);
    return [...this.#values].filter(([name]) => wanted.test(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** The configuration file that would give these settings: those that differ from the defaults. */
  text(): string {
    let out = '';
    for (const [name, , value] of settingRows) {
      const now = this.get(name);
      if (now !== value && !GIVEN_AT_START.includes(name))
        out += `${name} ${now === '' || now.includes(' ') ? `"${now}"` : now}\n`;
    }
    return out;
  }

  /** Reads what `text` gave; unknown lines are skipped. */
  read(text: string): void {
    for (const line of text.split('\n')) {
      const blank = line.indexOf(' ');
      if (blank > 0 && !line.startsWith('#'))
        this.load(line.slice(0, blank), line.slice(blank + 1).replace(/^"|"$/g, ''));
    }
  }

  #store(name: string, value: string): void {
    this.#values.set(name, value);
    // Two names of one option.
    if (name === 'slaveof') this.#values.set('replicaof', value);
    if (name === 'replicaof') this.#values.set('slaveof', value);
  }
}

/** Nothing is kept of the log once its content is in RocksDB's files: after FLUSHMEMTABLE and after a restart. */
export function keepsNoLog(settings: Settings): boolean {
  return settings.number('rocksdb.wal_ttl_seconds') === 0 && settings.number('rocksdb.wal_size_limit_mb') === 0;
}

function complaint(row: SettingRow, value: string): string | undefined {
  const [, , , lowest, highest] = row;
  if (lowest === undefined) return undefined;
  if (typeof lowest === 'string') {
    return value === lowest || value === highest ? undefined : `argument must be '${lowest}' or '${highest}'`;
  }
  if (!/^-?\d{1,15}$/.test(value)) return 'not started as an integer';
  const number = Number(value);
  return number >= lowest && number <= Number(highest) ? undefined : 'out of numeric range';
}

function globOf(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's');
}

function nearest(name: string): string {
  let best = '';
  let least = Number.POSITIVE_INFINITY;
  for (const known of rows.keys()) {
    const distance = editDistance(name.toLowerCase(), known);
    if (distance < least) {
      least = distance;
      best = known;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
