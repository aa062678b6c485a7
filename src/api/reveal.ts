/** Passwords in clear: only for callers on this machine, until access control says who may. */
import type { FastifyRequest } from 'fastify';
import { Refusal } from '../controller/refusal.ts';
import { isLoopback } from './guard.ts';

/** Headers by which a proxy tells that it speaks for somebody else, who then need not be on this machine. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'];

/** Whether passwords are to be shown in clear; throws `forbidden` where they were asked for and may not be. */
export function mayReveal(
  request: Pick<FastifyRequest, 'headers' | 'socket'> & { readonly query: { readonly reveal?: 'password' } },
  { allowReveal }: { readonly allowReveal: boolean },
): boolean {
  if (request.query.reveal === undefined) return false;
  const { headers, socket } = request;
  const local = isLoopback(socket.remoteAddress) && FORWARDED.every((name) => headers[name] === undefined);
  if (!allowReveal || !local || headers['sec-fetch-site'] === 'cross-site') {
    throw new Refusal(
      'forbidden',
      'reveal: passwords are shown in clear only to callers on the machine of the controller',
    );
  }
  return true;
}
