/**
 * The far end of the probe benchmark, a process of its own: one listening socket that is reached under every address of
 * 127.0.0.0/8, so that it passes for any number of nodes. Answers each write of CLUSTER INFO and INFO replication with
 * the same bytes. Prints its port; ends when its input ends.
 */
import { createServer } from 'node:net';
import { ANSWER, QUESTION_LENGTH } from './probe-traffic.ts';

const answer = Buffer.from(ANSWER, 'latin1');
const server = createServer({ noDelay: true }, (socket) => {
  let missing = QUESTION_LENGTH;
  socket.on('data', (bytes) => {
    missing -= bytes.length;
    for (; missing <= 0; missing += QUESTION_LENGTH) socket.write(answer);
  });
  socket.on('error', () => socket.destroy());
});
server.listen({ host: '0.0.0.0', port: 0, backlog: 4096 }, () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.stdout.write(`${address.port}\n`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
