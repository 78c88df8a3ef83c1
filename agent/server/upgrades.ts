/**
 * Connections that change their protocol: exec, attach and port-forward, over WebSocket or SPDY/3.1, as the client asks.
 * Called by server.ts after it let the client in.
 *
 * Everything that can be refused is refused before the 101: from then on a client can only be told on its streams.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import { ApiError, badRequest } from '../../src/api/errors.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import type { Runtime } from '../runtime/runtime.js';
import { ChannelClient, type ChannelProtocol, channel, channelProtocols } from './channels.js';
import { execProtocols, openExecStreams } from './execstreams.js';
import type { PodDialer } from './poddial.js';
import { portForwardProtocol, servePortForward } from './portforward.js';
import { parsePorts, servePortSocket } from './portsockets.js';
import { type ContainerTarget, parseRoute, type Route } from './routes.js';
import { parseStreamRequest, serveStream } from './streaming.js';
import { StreamWatch } from './streamwatch.js';

export interface UpgradesOptions {
  runtime: Pick<Runtime, 'exec' | 'attach'>;
  dialer: PodDialer;
  /** Throws an `ApiError` when there is none. */
  findContainer(target: ContainerTarget): Promise<string>;
  /** Connections on which nothing moves for so long are closed; 0: never. */
  idleLimitMs: number;
  clock: Clock;
  log: Logger;
}

/** A client that wants another protocol. */
export interface Upgrade {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
}

type StreamRoute = Extract<Route, { to: 'exec' | 'attach' }>;
type PortRoute = Extract<Route, { to: 'portForward' }>;

/** A client may not send more than this in one WebSocket message. */
const maxMessageBytes = 16 * 1024 * 1024;

/** SPDY frames in binary messages. */
const tunnelProtocol = `SPDY/3.1+${portForwardProtocol}` as const;
const portSocketProtocols = [
  tunnelProtocol,
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
] as const;
/** Without a subprotocol the oldest is meant. */
const impliedProtocol: ChannelProtocol = 'channel.k8s.io';

export class Upgrades {
  readonly #options: UpgradesOptions;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  });
  readonly #chosen = new WeakMap<IncomingMessage, string>();

  constructor(options: UpgradesOptions) {
    this.#options = options;
    this.#webSockets.on('headers', (headers, request) => {
      const protocol = this.#chosen.get(request);
      if (protocol !== undefined) headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
    });
  }

  /** Resolves when the client was answered with 101. Throws what it is to be told instead. */
  async serve(upgrade: Upgrade): Promise<void> {
    const route = parseRoute(upgrade.request.url ?? '/');
    if (route.to === 'exec' || route.to === 'attach') return this.#stream(route, upgrade);
    if (route.to === 'portForward') return this.#forward(route, upgrade);
    throw badRequest('this path cannot be upgraded');
  }

  async #stream(route: StreamRoute, upgrade: Upgrade): Promise<void> {
    const { runtime, clock } = this.#options;
    const wanted = parseStreamRequest(route.query);
    const wantsSpdy = isSpdy(upgrade);
    const protocol = wantsSpdy ? undefined : chooseWebSocket(upgrade, channelProtocols);
    const spdyProtocol = wantsSpdy ? chooseSpdy(upgrade, execProtocols, 'channel.k8s.io') : undefined;
    const id = await this.#options.findContainer(route.target);
    const what = { ...wanted, verb: route.to, id };
    if (spdyProtocol) {
      const transport = switchToSpdy(upgrade, spdyProtocol);
      this.#run(route.target, transport, async (watch) => {
        const client = await openExecStreams(transport, { protocol: spdyProtocol, wanted, clock, watch });
        if (client) await serveStream(runtime, client, what);
      });
      return;
    }
    this.#accept(upgrade, protocol, (socket) => {
      this.#run(route.target, upgrade.socket, async (watch) => {
        const spoken = protocol ?? impliedProtocol;
        const client = new ChannelClient(socket, { protocol: spoken, takesInput: wanted.stdin, watch });
        await client.open(wanted.stdout ? channel.stdout : wanted.stderr ? channel.stderr : channel.error);
        await serveStream(runtime, client, what);
      });
    });
  }

  async #forward(route: PortRoute, upgrade: Upgrade): Promise<void> {
    const { dialer, clock } = this.#options;
    const wantsSpdy = isSpdy(upgrade);
    if (wantsSpdy) chooseSpdy(upgrade, [portForwardProtocol], portForwardProtocol);
    const protocol = wantsSpdy ? undefined : chooseWebSocket(upgrade, portSocketProtocols);
    const ports = wantsSpdy || protocol === tunnelProtocol ? [] : parsePorts(route.query);
    const pod = await dialer.find(route.target);
    const target = { pod, dial: (port: number) => dialer.loopback(pod, port) };
    if (wantsSpdy) {
      const transport = switchToSpdy(upgrade, portForwardProtocol);
      this.#run(route.target, transport, (watch) => servePortForward(transport, target, { clock, watch }));
      return;
    }
    this.#accept(upgrade, protocol, (socket) =>
      this.#run(route.target, upgrade.socket, (watch) =>
        protocol === tunnelProtocol
          ? servePortForward(createWebSocketStream(socket), target, { clock, watch })
          : servePortSocket(socket, protocol ?? impliedProtocol, { ...target, ports, watch }),
      ),
    );
  }

  #accept(
    { request, socket: connection, head }: Upgrade,
    protocol: string | undefined,
    use: (socket: WebSocket) => void,
  ): void {
    // The library knows no protocol with a slash in its name, and kubectl's has one.
    delete request.headers['sec-websocket-protocol'];
    if (protocol !== undefined) this.#chosen.set(request, protocol);
    this.#webSockets.handleUpgrade(request, connection, head, (socket) => {
      socket.on('error', (err) => this.#options.log.debug({ err }, 'stream of a client failed'));
      use(socket);
    });
  }

  #run(target: object, transport: Duplex, serve: (watch: StreamWatch) => Promise<void>): void {
    const { clock, idleLimitMs, log } = this.#options;
    const watch = new StreamWatch({
      clock,
      idleLimitMs,
      onIdle: () => {
        log.info({ idleSeconds: idleLimitMs / 1000, ...target }, 'closed a stream on which nothing moved');
        transport.destroy();
      },
    });
    transport.once('close', () => watch.close());
    serve(watch).catch((err: unknown) => {
      log.error({ err, ...target }, 'stream ended unexpectedly');
      transport.destroy();
    });
  }
}

const isSpdy = ({ request }: Upgrade): boolean => request.headers.upgrade?.toLowerCase() === 'spdy/3.1';

const list = (header: string | string[] | undefined): string[] =>
  [header ?? []]
    .flat()
    .join(',')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

/** The best protocol both sides know; `undefined` for clients that name none. Throws 400. */
function chooseWebSocket<T extends string>({ request }: Upgrade, spoken: readonly T[]): T | undefined {
  const { upgrade: protocol = '', 'sec-websocket-key': key } = request.headers;
  if (protocol.toLowerCase() !== 'websocket' || key === undefined || request.method !== 'GET') {
    throw badRequest('unable to upgrade: only WebSocket and SPDY/3.1 are spoken here');
  }
  const offered = list(request.headers['sec-websocket-protocol']);
  const chosen = spoken.find((name) => offered.includes(name));
  if (chosen || offered.length === 0) return chosen;
  throw badRequest(
    `unable to upgrade: the client speaks [${offered.join(' ')}], here one of [${spoken.join(' ')}] is spoken`,
  );
}

/** The best protocol both sides know; `implied` for clients that name none. Throws 403, as Kubernetes does. */
function chooseSpdy<T extends string>(upgrade: Upgrade, spoken: readonly T[], implied: T): T {
  const offered = list(upgrade.request.headers['x-stream-protocol-version']);
  if (offered.length === 0) return implied;
  const chosen = spoken.find((name) => offered.includes(name));
  if (chosen) return chosen;
  throw new ApiError(
    'Forbidden',
    `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${spoken.join(' ')}]`,
  );
}

function switchToSpdy({ socket, head }: Upgrade, protocol: string): Duplex {
  const lines = ['Connection: Upgrade', 'Upgrade: SPDY/3.1', `X-Stream-Protocol-Version: ${protocol}`];
  socket.write(['HTTP/1.1 101 Switching Protocols', ...lines, '', ''].join('\r\n'));
  if (head.length > 0) socket.unshift(head);
  return socket;
}
