/**
 * Keeps pages of other origins from acting on the API through a user's browser, by `Origin`, `Sec-Fetch-Site` and
 * `Host`. Programs send none of the first two.
 */
import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import { Refusal } from '../controller/refusal.ts';
import { show } from './members.ts';

const LOOPBACK = /^(?:::1|(?:::ffff:)?127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3})$/;

export const isLoopback = (address: string | undefined): boolean => address !== undefined && LOOPBACK.test(address);

/** An address in numbers, IPv6 bare: nobody can rebind it. */
export const isNumeric = (host: string): boolean =>
  ipaddr.IPv4.isValidFourPartDecimal(host) || ipaddr.IPv6.isValid(host);

/** Without its port, lower case, IPv6 bare. Undefined for what is no host. */
function hostName(host: string): string | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::[0-9]*)?$/.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

export interface Listening {
  /** Bound to loopback only: then no name but these leads here, unless a foreign page rebinds one. */
  readonly loopback: boolean;
  /** Names under which it is reached, beside `localhost` and numeric addresses. */
  readonly names: readonly string[];
}

/** What is wrong with a `Host`, in a sentence; undefined when it may pass. */
function hostFault(host: string, listening: Listening): string | undefined {
  if (!listening.loopback) return undefined;
  const name = hostName(host);
  if (name !== undefined && (name === 'localhost' || isNumeric(name))) return undefined;
  if (name !== undefined && listening.names.some((own) => own.toLowerCase() === name)) return undefined;
  return `the Host ${show(host)} is not this server; allowed: localhost, a numeric address, or the name it listens on`;
}

const foreign = (what: string): Refusal =>
  new Refusal('forbidden', `${what}: pages of other origins may not change anything here`);

function originFault(origin: string, host: string | undefined): Refusal | undefined {
  const at = URL.canParse(origin) ? new URL(origin).host : undefined;
  return at !== undefined && at !== '' && at === host?.toLowerCase()
    ? undefined
    : foreign(`the Origin ${show(origin)}`);
}

/** Whether this request may be served; remembers the last good `Host`, since nearly all requests bring the same. */
export function hostGuard(
  listening: () => Listening,
): (request: Pick<IncomingMessage, 'method' | 'headers'>) => Refusal | undefined {
  let good: string | undefined;
  return ({ method, headers }) => {
    const host = headers.host;
    if (host !== undefined && host !== good) {
      const fault = hostFault(host, listening());
      if (fault !== undefined) return new Refusal('forbidden', fault);
      good = host;
    }
    if (method === 'GET' || method === 'HEAD') return undefined;
    const site = headers['sec-fetch-site'];
    if (site === 'cross-site') return foreign('a call from another site');
    const origin = headers.origin;
    return origin === undefined ? undefined : originFault(origin, host);
  };
}
