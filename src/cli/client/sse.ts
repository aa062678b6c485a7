/** Server-sent events: from pieces of text, cut anywhere, to messages. */

export interface Message {
  /** The id in force at this message; empty when none was given yet. */
  readonly id: string;
  readonly data: string;
}

export interface SseParser {
  /** The messages that this piece completes. */
  feed(piece: string): readonly Message[];
}

/** `retry` is called with the milliseconds that the server asks to wait before a new connection. */
export function sseParser(retry: (milliseconds: number) => void): SseParser {
  let rest = '';
  let id = '';
  let data: string[] = [];

  const field = (line: string): Message | undefined => {
    if (line === '') {
      const message = data.length === 0 ? undefined : { id, data: data.join('\n') };
      data = [];
      return message;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') data.push(value);
    else if (name === 'id' && !value.includes('\0')) id = value;
    else if (name === 'retry' && /^[0-9]{1,9}$/.test(value)) retry(Number(value));
    return undefined;
  };

  return {
    feed(piece) {
      const messages: Message[] = [];
      rest += piece;
      for (;;) {
        const end = rest.search(/[\r\n]/);
        // A `\r` at the very end may be the first half of a line end.
        if (end < 0 || (rest[end] === '\r' && end === rest.length - 1)) return messages;
        const line = rest.slice(0, end);
        rest = rest.slice(end + (rest.startsWith('\r\n', end) ? 2 : 1));
        const message = field(line);
        if (message !== undefined) messages.push(message);
      }
    },
  };
}
