/** Where a node listens. IPv6 hosts are kept bare (`::1`), as Kvrocks wants them; people see them in brackets. */

export interface Address {
  readonly host: string;
  readonly port: number;
}

const HOST = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$/;
const IPV6 = /^[0-9A-Fa-f:.]+(%[A-Za-z0-9]+)?$/;
const PORT = /^[1-9][0-9]{0,4}$/;

/** `host:port`, IPv6 as `[::1]:6666`. Undefined when it is neither. */
export function parseAddress(text: string): Address | undefined {
  const colon = text.lastIndexOf(':');
  if (colon <= 0) return undefined;
  const portText = text.slice(colon + 1);
  const port = Number(portText);
  if (!PORT.test(portText) || port > 65535) return undefined;
  let host = text.slice(0, colon);
  if (host.startsWith('[') && host.endsWith(']')) {
    host = host.slice(1, -1);
    return host.includes(':') && IPV6.test(host) ? { host, port } : undefined;
  }
  return HOST.test(host) ? { host, port } : undefined;
}

/** As people and the API write it: IPv6 in brackets. */
export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

export const sameAddress = (a: Address, b: Address): boolean => a.host === b.host && a.port === b.port;
