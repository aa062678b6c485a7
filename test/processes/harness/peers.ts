/** Which process of this file stands behind a connection: found by the socket's number, as Linux tells it in /proc. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { children } from './processes.ts';

const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');

/** The number of the socket that is bound to `from` and connected to `to`, both on the loopback address. */
function socketNumber(from: number, to: number): string | undefined {
  const ends = new RegExp(`^ *\\d+: \\w+:${hex(from)} \\w+:${hex(to)} (.*)$`, 'm');
  const found = ends.exec(readFileSync('/proc/net/tcp', 'latin1'))?.[1];
  // Behind the two ends: state, queues, timer, retransmits, user, timeout.
  return found?.trim().split(/\s+/)[6];
}

function holds(pid: number, socket: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((name) => {
      try {
        return readlinkSync(`${folder}/${name}`) === `socket:[${socket}]`;
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}

/** Its name, such as `controller-20001` or `node-20002`; undefined when it is none of them, such as a test's client. */
export function whoConnects(from: number, to: number): string | undefined {
  const socket = socketNumber(from, to);
  if (socket === undefined) return undefined;
  return children().find(({ pid }) => holds(pid, socket))?.name;
}
