/** Addresses as a node prints them: `10.0.0.1:6666`, and IPv6 without brackets, `::1:6666`. */

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Split at the last colon. Undefined when there is no host or no port number in 0..65535. */
export function parseAddress(text: string): Address | undefined {
  const colon = text.lastIndexOf(':');
  if (colon <= 0) return undefined;
  const port = text.slice(colon + 1);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) return undefined;
  return { host: text.slice(0, colon), port: Number(port) };
}
