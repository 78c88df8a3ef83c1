/**
 * Keeps a TLS server reachable while somebody holds connections to it for nothing. Both servers, the API's and the
 * agents', put it between their listener and TLS; the HTTP layers say which connections are known.
 *
 *   accepted -> first bytes -> TLS (one per turn of the event loop) -> open -> known, or cut off
 *
 * A stranger is a connection on which nobody has shown yet who they are. Strangers have to be done with TLS in time, and
 * there are only so many of one client and in all: one more pushes out the oldest, so whoever gets to the point is let in
 * however many only sit there. What was cut off is logged in one line per while, not one per connection.
 */
import type { Server, Socket } from 'node:net';
import { formatIp, parseIp } from '../net/ip.js';
import type { Clock } from './clock.js';
import type { Logger } from './log.js';

export interface ConnectionLimits {
  /** All connections of one client; further ones are closed at once. 0: as many as it likes. */
  perClient: number;
  strangersPerClient: number;
  strangers: number;
  /** From being accepted to the end of the TLS handshake. */
  handshakeMs: number;
}

const defaults: ConnectionLimits = {
  perClient: 0,
  strangersPerClient: 512,
  strangers: 2048,
  handshakeMs: 10_000,
};
const sweepMs = 1_000;
const reportMs = 10_000;
const reportedClients = 5;

export type Cut = 'handshake' | 'tooMany' | 'pushedOut' | 'headers' | 'body' | 'reader';

interface Client {
  address: string;
  connections: number;
  /** Oldest first. */
  readonly strangers: Set<Connection>;
  /** Have sent something and wait for their TLS. */
  readonly waiting: Connection[];
}

interface Connection {
  client: Client;
  socket: Socket;
  sinceMs: number;
  isOpen: boolean;
}

export interface GuardOptions {
  clock: Clock;
  log: Logger;
  limits?: Partial<ConnectionLimits> | undefined;
}

export class ConnectionGuard {
  readonly #limits: ConnectionLimits;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #clients = new Map<string, Client>();
  /** Of all clients, oldest first. */
  readonly #strangers = new Set<Connection>();
  /** Clients with connections that wait for TLS; whose turn is next first. */
  readonly #turns = new Set<Client>();
  /** Between TLS and the first request; by the two ends' names, as the TLS socket is another object. */
  readonly #byPeer = new Map<string, Connection>();
  readonly #ofSocket = new WeakMap<object, Connection>();
  readonly #cuts = new Map<Cut, number>();
  readonly #cutClients = new Map<string, number>();
  #startTls: (socket: Socket) => void = (socket) => socket.destroy();
  #isTurnTaken = false;
  #cancelSweep: (() => void) | undefined;
  #cancelReport: (() => void) | undefined;

  constructor({ clock, log, limits }: GuardOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#limits = { ...defaults, ...limits };
  }

  /** Before the server listens. `server` is one of `node:tls` or `node:https`. */
  watch(server: Server): void {
    const [accept] = server.listeners('connection');
    if (!accept) throw new Error('the server has nobody who accepts connections');
    server.removeListener('connection', accept as (socket: Socket) => void);
    this.#startTls = (socket) => accept.call(server, socket);
    server.on('connection', (socket: Socket) => this.#accept(socket));
    server.on('secureConnection', (socket: Socket) => this.#opened(socket));
  }

  /** A request on this connection has shown who asks: it is a stranger no more. */
  known(socket: object): void {
    const connection = this.#ofSocket.get(socket);
    if (!connection) return;
    this.#ofSocket.delete(socket);
    this.#forget(connection);
  }

  /** Counts a connection that its HTTP server cut off, for the report. */
  wasCut(cut: Cut, address: string | undefined): void {
    this.#cuts.set(cut, (this.#cuts.get(cut) ?? 0) + 1);
    const client = clientOf(address);
    this.#cutClients.set(client, (this.#cutClients.get(client) ?? 0) + 1);
    this.#cancelReport ??= this.#clock.after(reportMs, () => this.#report());
  }

  /** Closes all strangers; those that are known are the server's to close. */
  close(): void {
    this.#cancelSweep?.();
    for (const { socket } of this.#strangers) socket.destroy();
    if (this.#cancelReport) this.#report();
  }

  #accept(socket: Socket): void {
    const client = this.#clientAt(clientOf(socket.remoteAddress));
    const { perClient } = this.#limits;
    if (perClient > 0 && client.connections >= perClient) {
      this.wasCut('tooMany', client.address);
      socket.destroy();
      return;
    }
    const connection: Connection = { client, socket, sinceMs: this.#clock.monotonicMs(), isOpen: false };
    const peer = peerOf(socket);
    client.connections++;
    client.strangers.add(connection);
    this.#strangers.add(connection);
    this.#byPeer.set(peer, connection);
    socket.once('close', () => this.#closed(connection, peer));
    socket.on('error', () => socket.destroy());
    socket.once('readable', () => this.#wait(connection));
    this.#pushOut(client);
    this.#cancelSweep ??= this.#clock.after(sweepMs, () => this.#sweep());
  }

  /** The oldest strangers go while there are too many. */
  #pushOut({ strangers }: Client): void {
    for (const [set, limit] of [
      [strangers, this.#limits.strangersPerClient],
      [this.#strangers, this.#limits.strangers],
    ] as const) {
      const [oldest] = set;
      if (oldest && set.size > limit) this.#cut(oldest, 'pushedOut');
    }
  }

  #wait(connection: Connection): void {
    const { client, socket } = connection;
    if (socket.readableLength === 0) {
      socket.destroy();
      return;
    }
    client.waiting.push(connection);
    this.#turns.add(client);
    this.#takeTurn();
  }

  /** A handshake takes a millisecond of the only thread: one per turn, and clients take turns. */
  #takeTurn(): void {
    if (this.#isTurnTaken) return;
    const [client] = this.#turns;
    if (!client) return;
    this.#isTurnTaken = true;
    setImmediate(() => {
      this.#isTurnTaken = false;
      this.#takeTurn();
    });
    const connection = client.waiting.shift();
    this.#turns.delete(client);
    if (client.waiting.length > 0) this.#turns.add(client);
    if (connection && !connection.socket.destroyed) this.#startTls(connection.socket);
  }

  #opened(socket: Socket): void {
    const connection = this.#byPeer.get(peerOf(socket));
    if (!connection) return;
    connection.isOpen = true;
    connection.socket = socket;
    this.#ofSocket.set(socket, connection);
  }

  #sweep(): void {
    const latest = this.#clock.monotonicMs() - this.#limits.handshakeMs;
    for (const connection of this.#strangers) {
      if (connection.sinceMs > latest) break;
      if (!connection.isOpen) this.#cut(connection, 'handshake');
    }
    this.#cancelSweep =
      this.#strangers.size > 0 ? this.#clock.after(sweepMs, () => this.#sweep()) : undefined;
  }

  #cut(connection: Connection, why: Cut): void {
    this.wasCut(why, connection.client.address);
    this.#forget(connection);
    connection.socket.destroy();
  }

  #forget(connection: Connection): void {
    this.#strangers.delete(connection);
    connection.client.strangers.delete(connection);
  }

  #closed(connection: Connection, peer: string): void {
    const { client } = connection;
    this.#forget(connection);
    this.#byPeer.delete(peer);
    client.connections--;
    if (client.connections === 0) {
      this.#clients.delete(client.address);
      this.#turns.delete(client);
    }
  }

  #clientAt(address: string): Client {
    let client = this.#clients.get(address);
    if (!client) {
      client = { address, connections: 0, strangers: new Set(), waiting: [] };
      this.#clients.set(address, client);
    }
    return client;
  }

  #report(): void {
    this.#cancelReport?.();
    this.#cancelReport = undefined;
    const clients = [...this.#cutClients].sort(([, a], [, b]) => b - a).slice(0, reportedClients);
    this.#log.warn(
      { cuts: Object.fromEntries(this.#cuts), clients: Object.fromEntries(clients) },
      'connections were cut off: too slow, or too many that nobody uses',
    );
    this.#cuts.clear();
    this.#cutClients.clear();
  }
}

const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

/** One host; of IPv6 the network that one host usually has to itself. */
function clientOf(address = ''): string {
  const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
  if (!plain.includes(':')) return plain;
  const ip = parseIp(plain.split('%')[0] ?? '');
  return ip ? `${formatIp({ family: 6, value: (ip.value >> 64n) << 64n })}/64` : plain;
}
