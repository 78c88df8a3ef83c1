/**
 * A process that opens many connections to a server and is slow on all of them. Run by `slow.test.ts` with its plan as the
 * only argument; says on stdout, one JSON line per second, how many of each kind are still open and how many are yet to be.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';

export interface Plan {
  port: number;
  /** PEM file. */
  ca: string;
  token: string;
  /** Path of a large list. */
  list: string;
  /** How many of each kind. */
  counts: Record<Kind, number>;
}

/** What is said on each connection, and then nothing more or one byte a second. Those with TLS come first: it takes time. */
const kinds = {
  /** Asks for a large list and reads nothing. */
  reader: (plan: Plan) => notReading(openTls(plan), plan),
  /** A body that never ends, of a client that is known. */
  body: (plan: Plan) =>
    saying(
      openTls(plan),
      `POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${plan.token}\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n`,
      ' ',
    ),
  /** A body of a client that was refused already. */
  refused: (plan: Plan) =>
    saying(openTls(plan), 'POST /api/v1/pods HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n', ' '),
  /** A header that never ends. */
  headers: (plan: Plan) => saying(openTls(plan), 'GET /api HTTP/1.1\r\nHost: a\r\nX-Slow: ', 'x'),
  /** TLS, then nothing. */
  idle: (plan: Plan) => openTls(plan),
  /** Nothing. */
  silent: (plan: Plan) => open(plan),
  /** The beginning of a TLS record, byte by byte. */
  handshake: (plan: Plan) =>
    trickling(
      open(plan),
      Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, ...new Array<number>(60).fill(0)]),
    ),
};

export type Kind = keyof typeof kinds;

export interface Told {
  left: Record<Kind, number>;
  /** Connections that are not made yet. */
  coming: number;
}

/** More at a time, and a server on a busy machine cuts some off before it has got to their TLS. */
const atATime = 32;

const open = ({ port }: Plan): Socket => connect({ host: '127.0.0.1', port });
const openTls = ({ port, ca }: Plan): TLSSocket =>
  connectTls({ host: '127.0.0.1', port, ca: readFileSync(ca) });

function everySecond(socket: Socket, run: () => void): Socket {
  const timer = setInterval(run, 1_000);
  socket.once('close', () => clearInterval(timer));
  return socket;
}

function trickling(socket: Socket, bytes: Buffer): Socket {
  let at = 0;
  return everySecond(socket, () => {
    if (at < bytes.length) socket.write(bytes.subarray(at, ++at));
  });
}

function saying(socket: Socket, first: string, more: string): Socket {
  socket.write(first);
  return everySecond(socket, () => void (socket.writable && socket.write(more)));
}

function notReading(socket: TLSSocket, { list, token }: Plan): Socket {
  socket.write(`GET ${list} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  socket.once('secureConnect', () => socket.pause());
  return socket;
}

const plan = JSON.parse(process.argv[2] ?? '') as Plan;
const left = { ...plan.counts };
const tell = (told: Told): boolean => process.stdout.write(`${JSON.stringify(told)}\n`);
let coming = Object.values(plan.counts).reduce((sum, count) => sum + count);
setInterval(() => tell({ left, coming }), 1_000);
const opening = new Set<Socket>();
for (const [kind, start] of Object.entries(kinds) as [Kind, (typeof kinds)[Kind]][]) {
  for (let made = 0; made < plan.counts[kind]; made++) {
    while (opening.size >= atATime) await sleep(5);
    const socket = start(plan);
    opening.add(socket);
    const hasCome = (): void => {
      if (opening.delete(socket)) coming--;
    };
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', hasCome);
    socket.on('error', () => socket.destroy());
    if (kind !== 'reader') socket.resume();
    // One that does not read never sees the end; it has to try to write.
    socket.once('close', () => {
      left[kind]--;
      hasCome();
    });
  }
}
