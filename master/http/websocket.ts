/**
 * 1. Logs and watches over a WebSocket, for clients that cannot read an answer while it streams, such as browsers: one
 * message per event of a watch, one per piece of a log.
 *
 * Called by `dispatch.ts`. What streams writes to it as to an ordinary answer; the handshake is done when the head would
 * be sent, so that a refusal before that is an ordinary `Status`.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Writable } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

/** What streams write to. */
export type StreamResponse = Writable & {
  writeHead(code: number, headers: Record<string, string>): unknown;
  flushHeaders(): void;
};

/** Kubernetes' name for a stream in text messages of base64; without a name messages are binary. */
const base64Protocol = 'base64.binary.k8s.io';
const protocols: ReadonlySet<string> = new Set(['binary.k8s.io', base64Protocol]);

export const wantsWebSocket = ({ headers }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === 'websocket';

export class WebSocketResponse extends Writable implements StreamResponse {
  readonly #raw: IncomingMessage;
  readonly #client: { socket: Duplex; head: Buffer };
  readonly #form: 'events' | 'bytes';
  #peer: WebSocket | undefined;

  constructor(raw: IncomingMessage, client: { socket: Duplex; head: Buffer }, form: 'events' | 'bytes') {
    super();
    this.#raw = raw;
    this.#client = client;
    this.#form = form;
  }

  writeHead(_code: number, _headers: Record<string, string>): this {
    const server = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      // What a client says here is read by nobody.
      maxPayload: 4096,
      handleProtocols: (offered) => [...offered].find((name) => protocols.has(name)) ?? false,
    });
    const { socket, head } = this.#client;
    server.handleUpgrade(this.#raw, socket, head, (peer) => {
      this.#peer = peer;
      peer.on('error', () => this.destroy());
      peer.on('close', () => this.destroy());
    });
    return this;
  }

  flushHeaders(): void {
    // The handshake has been written.
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const peer = this.#peer;
    if (!peer || peer.readyState !== peer.OPEN) {
      done(new Error('the WebSocket is closed'));
      return;
    }
    const messages = this.#form === 'events' ? chunk.toString('utf8').split(/(?<=\n)/) : [chunk];
    const last = messages.pop();
    for (const message of messages) peer.send(this.#encoded(peer, message));
    if (last === undefined) done();
    else peer.send(this.#encoded(peer, last), (error) => done(error));
  }

  #encoded(peer: WebSocket, message: string | Buffer): string | Buffer {
    return peer.protocol === base64Protocol ? Buffer.from(message).toString('base64') : message;
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#peer?.close(1000);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#peer?.terminate();
    done(error);
  }
}
