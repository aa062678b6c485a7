import { infoFields, natural } from '../info-text.ts';
import { garbled, type Question, question, type Read, readText, reply } from '../question.ts';

export interface InfoServer {
  /** Undefined for a build without a release number (`unstable`): try a command to find it. */
  readonly version: KvrocksVersion | undefined;
  readonly versionText: string;
  /** It changes when the server was started again. */
  readonly processId: number;
  /** By its own clock, in milliseconds since 1970, exact to a second; undefined before 2.12, which does not tell. */
  readonly startedAt: number | undefined;
  /** Milliseconds that it has run, exact to a second; undefined where it does not tell. */
  readonly upFor: number | undefined;
  /** False on a node that can never serve a cluster without a restart. */
  readonly clusterMode: boolean;
}

export interface KvrocksVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** `INFO server`. `redis_version` is no version of this server. A late or repeated copy changes nothing. */
export function infoServer(): Question<InfoServer> {
  return question(['INFO', 'server'], (got) => parseInfoServer(readText(got) ?? ''));
}

export function parseInfoServer(text: string): Read<InfoServer> {
  const fields = infoFields(text);
  const versionText = fields.get('kvrocks_version') ?? fields.get('version');
  const processId = natural(fields.get('process_id'));
  const mode = fields.get('kvrocks_mode') ?? fields.get('redis_mode');
  if (versionText === undefined || processId === undefined || mode === undefined) {
    return garbled('INFO server: a field is missing');
  }
  const match = /^v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?/.exec(versionText);
  const version = match && { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3] ?? 0) };
  const now = natural(fields.get('server_time_usec'));
  const up = natural(fields.get('uptime_in_seconds'));
  const startedAt = now === undefined || up === undefined ? undefined : Math.floor(now / 1000) - up * 1000;
  const upFor = up === undefined ? undefined : up * 1000;
  return reply({
    version: version ?? undefined,
    versionText,
    processId,
    startedAt,
    upFor,
    clusterMode: mode === 'cluster',
  });
}

/** Whether a version is at least `major.minor`; undefined when it has no number. */
export function isAtLeast(version: KvrocksVersion | undefined, major: number, minor: number): boolean | undefined {
  if (version === undefined) return undefined;
  return version.major > major || (version.major === major && version.minor >= minor);
}
