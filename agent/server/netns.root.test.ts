/** Connections in another network namespace: real helpers, real sockets, and what happens when either is gone. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import t from 'tap';
import { systemClock } from '../../src/host/clock.js';
import { createNamespace, until } from '../testing/namespace.js';
import { dialHere, NamespaceDialer } from './netns.js';

/** Speaks first, then sends everything back; listens on loopback only. */
const program = `
const server = require('net').createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.write('hello ');
  socket.pipe(socket);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

const namespace = await createNamespace();
const [command = '', ...enter] = namespace.enter;
const child = spawn(command, [...enter, process.execPath, '-e', program], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const port = Number(String((await once(child.stdout, 'data'))[0]));
t.teardown(async () => {
  child.kill();
  await namespace.close();
});

async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

let ends = 0;
const dialer = new NamespaceDialer(namespace.path, systemClock, () => {
  ends += 1;
});

t.test(
  'many at once, all bytes in both directions, each side ending by itself',
  { timeout: 60_000 },
  async (t) => {
    await t.rejects(dialHere('127.0.0.1', port), { code: 'ECONNREFUSED' }, 'not reached from here');
    const data = randomBytes(100_000).toString('hex');
    const sockets = await Promise.all(Array.from({ length: 100 }, () => dialer.dial('127.0.0.1', port)));
    const answers = sockets.map(async (socket) => {
      socket.end(data);
      return readAll(socket);
    });
    for (const answer of await Promise.all(answers)) t.equal(answer, `hello ${data}`);
  },
);

t.test('refusals are the system’s', async (t) => {
  await t.rejects(dialer.dial('127.0.0.1', 1), { code: 'ECONNREFUSED' });
  await t.rejects(dialer.dial('203.0.113.1', 80), { code: 'ENETUNREACH' });
});

t.test('sockets outlive the helper; the next connection starts another', async (t) => {
  const socket = await dialer.dial('127.0.0.1', port);
  dialer.close();
  await until(() => ends === 1);
  socket.end('still there');
  t.equal(await readAll(socket), 'hello still there');
  const again = await dialer.dial('127.0.0.1', port);
  again.destroy();
  dialer.close();
  await until(() => ends === 2);
});

t.test('a namespace that is gone', async (t) => {
  const gone = new NamespaceDialer('/proc/0/ns/net', systemClock, () => undefined);
  await t.rejects(gone.dial('127.0.0.1', port), /cannot enter the network namespace/);
});
