import type { Feed } from './feeds.ts';
import { CommandReader } from './resp-reader.ts';

/** One connection that somebody opened to the node: a client, a replica, or the source of a migration. */
export class Client {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  /** Wall-clock milliseconds. */
  readonly since: number;
  readonly reader = new CommandReader();
  protocol: 2 | 3 = 2;
  name = '';
  authenticated = false;
  readOnly = false;
  asking = false;
  /** The source of a migration: may read and write the slots that are being imported. */
  importing = false;
  /** Waits for a reply of its own; nothing more of it is read until then. */
  waiting = false;
  closed = false;
  /** Told to close behind what it has been sent. */
  closing = false;
  lastCommand = '';
  /** The commands since MULTI; undefined outside of it. */
  queue: (readonly string[])[] | undefined;
  /** A command was refused since MULTI, so EXEC will be. */
  spoilt = false;
  watched: Set<string> | undefined;
  /** A watched key has been written. */
  touched = false;
  readonly channels = new Set<string>();
  readonly patterns = new Set<string>();
  /** Where a replica listens, as it says itself. */
  listeningPort = 0;
  announcedHost = '';
  /** Set from PSYNC on: the connection carries the log. */
  feed: Feed | undefined;
  /** What waits to be sent at the end of this event. */
  out = '';

  constructor(id: number, host: string, port: number, since: number) {
    this.id = id;
    this.host = host;
    this.port = port;
    this.since = since;
  }

  get address(): string {
    return `${this.host}:${this.port}`;
  }
}
