/** What every route is given. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ControlPlane } from '../controller/control-plane.ts';
import type { Clock } from '../runtime/runtime.ts';
import type { EventStreams } from './event-stream.ts';

export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** A constant sentence and fields; pino's loggers are ones. */
export interface ApiLog {
  info(fields: object, sentence: string): void;
  warn(fields: object, sentence: string): void;
  error(fields: object, sentence: string): void;
}

export interface ApiContext {
  readonly plane: ControlPlane;
  readonly clock: Pick<Clock, 'wall'>;
  readonly streams: EventStreams;
  /** Whether loopback callers may see passwords in clear at all. */
  readonly allowReveal: boolean;
  readonly version: string;
}
