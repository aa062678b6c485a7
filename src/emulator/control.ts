/** The control port of the emulator program: `GET /nodes`, `POST /nodes/<port or address>/<act>`, for people and scripts. */
import { createServer, type Server } from 'node:http';
import type { Shell } from './shell.ts';

const acts: Readonly<Record<string, (shell: Shell) => void | Promise<void>>> = {
  kill: (shell) => shell.kill(),
  hang: (shell) => shell.hang(),
  wake: (shell) => shell.wake(),
  cut: (shell) => shell.cut(),
  /** Whatever was done to it: it runs again. */
  revive: (shell) => (shell.state === 'dead' ? shell.start() : shell.wake()),
};

const USAGE = `GET /nodes, or POST /nodes/<port or host:port>/<${Object.keys(acts).join('|')}>`;

/** Listens on the loopback address. Rejects if the port is taken. */
export function startControl(port: number, shells: readonly Shell[]): Promise<Server> {
  const stateOf = (shell: Shell) => ({ addr: `${shell.host}:${shell.port}`, state: shell.state });
  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify(body)}\n`);
    };
    const [, root, name, act, ...rest] = (request.url ?? '').split('/').map(decodeURIComponent);
    if (root !== 'nodes' || rest.length > 0) return answer(404, { error: `Not there. ${USAGE}` });
    if (request.method === 'GET' && name === undefined) return answer(200, shells.map(stateOf));
    const found = shells.filter(({ host, port: own }) => name === String(own) || name === `${host}:${own}`);
    const [shell] = found;
    if (shell === undefined) return answer(404, { error: `No node ${name ?? ''} here. ${USAGE}` });
    if (found.length > 1) return answer(400, { error: `${found.length} nodes have this port. Name one as host:port.` });
    if (request.method === 'GET' && act === undefined) return answer(200, stateOf(shell));
    const run = act === undefined ? undefined : acts[act];
    if (request.method !== 'POST' || run === undefined) return answer(400, { error: `Not understood. ${USAGE}` });
    Promise.resolve(run(shell)).then(
      () => answer(200, stateOf(shell)),
      (error: unknown) => answer(500, { error: error instanceof Error ? error.message : String(error) }),
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
