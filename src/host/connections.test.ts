import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { createFakeClock } from '../testing/clock.js';
import { ConnectionGuard, type ConnectionLimits } from './connections.js';
import { silentLogger } from './log.js';

/** A server that takes every connection for one whose TLS is done, as soon as the guard lets it start. */
async function startServer(limits: Partial<ConnectionLimits>) {
  const clock = createFakeClock();
  const reports: object[] = [];
  const log = { ...silentLogger, warn: (fields: object) => void reports.push(fields) };
  const guard = new ConnectionGuard({ clock, log, limits });
  const served: Socket[] = [];
  const server = createServer((socket) => {
    served.push(socket);
    server.emit('secureConnection', socket);
  });
  guard.watch(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const clients: Socket[] = [];
  async function open(text?: string): Promise<Socket> {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => socket.destroy()).resume();
    clients.push(socket);
    await once(socket, 'connect');
    const before = served.length;
    if (text === undefined) return socket;
    socket.write(text);
    while (served.length === before && !socket.destroyed) await turn();
    return socket;
  }
  const stop = async (): Promise<void> => {
    guard.close();
    for (const socket of [...clients, ...served]) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return { clock, guard, served, open, stop, reports };
}

t.test('who says nothing, or does not finish TLS, is cut off in time', async (t) => {
  const { clock, open, stop, reports, served } = await startServer({});
  const silent = [await open(), await open(), await open()];
  const talking = await open('hello');
  t.equal(served.length, 1, 'only who said something costs a handshake');
  while (clock.pending === 0) await turn();
  const gone = Promise.all(silent.map((socket) => once(socket, 'close')));
  await clock.advance(11_500);
  await gone;
  t.notOk(talking.destroyed, 'who is done with TLS is left alone');
  t.same(reports, [], 'not a line for each');
  await clock.advance(10_000);
  t.same(reports, [{ cuts: { handshake: 3 }, clients: { '127.0.0.1': 3 } }]);
  await stop();
});

t.test('one more stranger pushes out the oldest; who is known stays', async (t) => {
  const { guard, open, served, stop, reports } = await startServer({ strangersPerClient: 3 });
  const known = await open('first');
  guard.known(served[0] as Socket);
  const strangers = [await open('a'), await open('b'), await open('c')];
  const gone = once(strangers[0] as Socket, 'close');
  const last = await open('d');
  await gone;
  t.same(
    [known, ...strangers, last].map(({ destroyed }) => destroyed),
    [false, true, false, false, false],
  );
  await stop();
  t.match(reports, [{ cuts: { pushedOut: 1 } }], 'the end reports what is left to say');
});

t.test('strangers of all clients together are limited too', async (t) => {
  const { open, stop } = await startServer({ strangers: 2 });
  const first = await open('a');
  const gone = once(first, 'close');
  await open('b');
  await open('c');
  await gone;
  t.ok(first.destroyed);
  await stop();
});

t.test('connections of one client can be limited, known or not', async (t) => {
  const { guard, open, served, stop } = await startServer({ perClient: 2 });
  for (const text of ['a', 'b']) {
    await open(text);
    guard.known(served.at(-1) as Socket);
  }
  const third = await open();
  if (!third.destroyed) await once(third, 'close');
  t.equal(served.length, 2);
  served[0]?.destroy();
  await once(served[0] as Socket, 'close');
  await open('again');
  t.equal(served.length, 3, 'one that ends makes room');
  await stop();
});
