import type { Reply } from './reply.ts';

function items(prefix: string, count: number, replies: readonly Reply[], protocol: 2 | 3): string {
  let out = `${prefix}${count}\r\n`;
  for (const reply of replies) out += writeReply(reply, protocol);
  return out;
}

/** The reply as latin1 bytes of RESP2 or RESP3. A line end inside a simple text or an error becomes a blank. */
export function writeReply(reply: Reply, protocol: 2 | 3): string {
  switch (reply.kind) {
    case 'simple':
      return `+${oneLine(reply.text)}\r\n`;
    case 'error':
      return `-${oneLine(reply.text)}\r\n`;
    case 'integer':
      return `:${reply.value}\r\n`;
    case 'bulk':
      return `$${reply.text.length}\r\n${reply.text}\r\n`;
    case 'verbatim':
      return protocol === 3
        ? `=${reply.text.length + 4}\r\ntxt:${reply.text}\r\n`
        : `$${reply.text.length}\r\n${reply.text}\r\n`;
    case 'nil':
      return protocol === 3 ? '_\r\n' : '$-1\r\n';
    case 'nil-array':
      return protocol === 3 ? '_\r\n' : '*-1\r\n';
    case 'double':
      return protocol === 3 ? `,${reply.text}\r\n` : `$${reply.text.length}\r\n${reply.text}\r\n`;
    case 'boolean':
      if (protocol === 3) return reply.value ? '#t\r\n' : '#f\r\n';
      return reply.value ? ':1\r\n' : ':0\r\n';
    case 'array':
      return items('*', reply.items.length, reply.items, protocol);
    case 'set':
      return items(protocol === 3 ? '~' : '*', reply.items.length, reply.items, protocol);
    case 'map':
      return protocol === 3
        ? items('%', reply.items.length / 2, reply.items, protocol)
        : items('*', reply.items.length, reply.items, protocol);
    case 'pairs': {
      let out = `*${protocol === 3 ? reply.items.length : reply.items.length * 2}\r\n`;
      for (const pair of reply.items) {
        if (protocol === 3) out += '*2\r\n';
        out += writeReply(pair[0], protocol) + writeReply(pair[1], protocol);
      }
      return out;
    }
    case 'push':
      return items(protocol === 3 ? '>' : '*', reply.items.length, reply.items, protocol);
  }
}

function oneLine(text: string): string {
  return /[\r\n]/.test(text) ? text.replace(/[\r\n]+/g, ' ') : text;
}
