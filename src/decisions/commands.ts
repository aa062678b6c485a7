/** Command lines that people copy out of a status as they are: what a shell would not read as one word is quoted. */
import type { Address } from '../topology/address.ts';
import type { World } from './world.ts';

const word = (text: string): string => (/^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** A command of kvctl about this cluster. */
export function kvctl(world: World, command: string, ...flags: readonly string[]): string {
  const { namespace, name } = world.intended.cluster;
  return ['kvctl', command, '-n', word(namespace), '-c', word(name), ...flags].join(' ');
}

/** A command of a node; one with a password asks for it. */
export function redisCli(world: World, { host, port }: Address, command: string): string {
  const asks = world.intended.cluster.password.empty ? [] : ['--askpass'];
  return ['redis-cli', '-h', word(host), '-p', `${port}`, ...asks, command].join(' ');
}
