/**
 * A load generator that costs little, so that the server is what is measured: requests as bytes over a few TLS
 * connections, one at a time on each, answers read by Content-Length.
 */
import { connect, type TLSSocket } from 'node:tls';

export interface Target {
  port: number;
  ca: string;
  cert?: string;
  key?: string;
}

export interface RawRequest {
  method: string;
  path: string;
  body?: Buffer;
  contentType?: string;
  /** Instead of the certificate's user. */
  token?: string;
}

export interface LoadResult {
  perSecond: number;
  /** Median of all requests. */
  p50Ms: number;
  p99Ms: number;
}

const encode = ({ method, path, body, contentType = 'application/json', token }: RawRequest): Buffer => {
  const user = token ? `authorization: Bearer ${token}\r\n` : '';
  const head = `${method} ${path} HTTP/1.1\r\nhost: bench\r\naccept: application/json\r\n${user}`;
  if (!body) return Buffer.from(`${head}\r\n`);
  return Buffer.concat([
    Buffer.from(`${head}content-type: ${contentType}\r\ncontent-length: ${body.length}\r\n\r\n`),
    body,
  ]);
};

export class Connection {
  readonly #socket: TLSSocket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve(body: Buffer): void; reject(error: Error): void } | undefined;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('the server closed the connection')));
  }

  static open(target: Target): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(
        { host: '127.0.0.1', ...target, servername: 'localhost', noDelay: true } as never,
        () => resolve(new Connection(socket)),
      );
      socket.once('error', reject);
    });
  }

  /** Rejects for any answer but 2xx. */
  send(request: RawRequest): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(encode(request));
    });
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0 || !this.#waiting) return;
    const head = this.#received.toString('latin1', 0, headEnd);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]);
    const end = headEnd + 4 + length;
    if (this.#received.length < end) return;
    const body = this.#received.subarray(headEnd + 4, end);
    this.#received = this.#received.subarray(end);
    const { resolve, reject } = this.#waiting;
    this.#waiting = undefined;
    if (head.startsWith('HTTP/1.1 2')) resolve(body);
    else reject(new Error(`${head.split('\r\n', 1)[0]}: ${body.toString('utf8', 0, 300)}`));
  }
}

/** Sends `count` requests over `clients` connections; the n-th is `make(n)`. */
export async function load(
  target: Target,
  { clients, count }: { clients: number; count: number },
  make: (n: number) => RawRequest,
): Promise<LoadResult> {
  const connections = await Promise.all(Array.from({ length: clients }, () => Connection.open(target)));
  const times: number[] = [];
  let next = 0;
  const begun = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      while (next < count) {
        const request = make(next++);
        const sent = performance.now();
        await connection.send(request);
        times.push(performance.now() - sent);
      }
    }),
  );
  const seconds = (performance.now() - begun) / 1000;
  for (const connection of connections) connection.close();
  times.sort((a, b) => a - b);
  const at = (part: number): number => times[Math.floor(times.length * part)] ?? 0;
  return { perSecond: count / seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}
