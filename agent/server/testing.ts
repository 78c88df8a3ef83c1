/**
 * For tests of the agent's API: certificates of a throw-away CA, and a client that speaks HTTPS and channels.
 * Imported by tests only.
 */
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Client } from '../../src/client/client.js';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { createKey, importKey, nameOf, signingAlgorithm, x509 } from '../../src/host/x509.js';
import { type CheckAccess, createAccess } from './access.js';

export interface Identity {
  key: string;
  cert: string;
}

export interface TestAuthority {
  ca: string;
  /** Good for that address, 127.0.0.1 by default. */
  issue(commonName: string, organizations?: readonly string[], address?: string): Promise<Identity>;
}

const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };

export async function createTestAuthority(): Promise<TestAuthority> {
  const keys = await importKey(await createKey());
  const issuer = 'CN=test-ca';
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: issuer,
    keys,
    signingAlgorithm,
    ...validity,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return {
    ca: certificate.toString('pem'),
    async issue(commonName, organizations = [], address = '127.0.0.1') {
      const key = await createKey();
      const issued = await x509.X509CertificateGenerator.create({
        subject: nameOf({ commonName, organizations: [...organizations] }),
        issuer,
        publicKey: (await importKey(key)).publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm,
        ...validity,
        extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: address }])],
      });
      return { key, cert: issued.toString('pem') };
    },
  };
}

/** For the node n1; without an API nobody but the master and administrators is let in. */
export const testAccess = (client: Partial<Pick<Client, 'create'>> = {}): CheckAccess =>
  createAccess({
    nodeName: 'n1',
    client: {
      create:
        client.create ??
        (async () => {
          throw new Error('there is no API');
        }),
    },
    clock: systemClock,
    log: silentLogger,
  });

/** How a client reaches the server under test. */
export interface Access {
  port: number;
  ca: string;
  identity?: Identity | undefined;
  headers?: Record<string, string>;
}

export interface Answer {
  code: number;
  body: string;
}

const connection = ({ port, ca, identity, headers }: Access): object => ({
  host: '127.0.0.1',
  port,
  ca,
  ...identity,
  ...(headers && { headers }),
});

export function get(access: Access, path: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...connection(access), path, method, agent: false }, (response) => {
      readAnswer(response).then(resolve, reject);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return { code: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() };
}

/** Asks for SPDY/3.1; a refusal rejects with the server's `Answer`. */
export function upgrade(
  access: Access,
  path: string,
  options: { method?: string; protocols?: readonly string[] } = {},
): Promise<{ socket: Duplex; protocol: string | undefined }> {
  const headers = {
    connection: 'Upgrade',
    upgrade: 'SPDY/3.1',
    ...(options.protocols && { 'x-stream-protocol-version': [...options.protocols] }),
  };
  return new Promise((resolve, reject) => {
    const method = options.method ?? 'POST';
    const outgoing = request({ ...connection(access), path, method, headers, agent: false });
    outgoing.on('upgrade', (response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve({ socket, protocol: response.headers['x-stream-protocol-version']?.toString() });
    });
    outgoing.on('response', (response) => readAnswer(response).then(reject, reject));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/**
 * Binary messages of a WebSocket as a stream of bytes, for a subprotocol that the library refuses to ask for: kubectl's
 * has a slash in its name.
 */
export function openTunnel(access: Access, path: string, protocol: string): Promise<Duplex> {
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.alloc(16).toString('base64'),
    'sec-websocket-protocol': protocol,
  };
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...connection(access), path, headers, agent: false });
    outgoing.on('upgrade', (response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      if (response.headers['sec-websocket-protocol'] === protocol) resolve(messagesOf(socket));
      else reject(new Error(`not ${protocol}`));
    });
    outgoing.on('response', (response) => readAnswer(response).then(reject, reject));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

function messagesOf(socket: Duplex): Duplex {
  let rest = Buffer.alloc(0);
  const stream = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      const head = Buffer.alloc(14);
      head.writeUInt8(0x82);
      // Masked with zeros, which leaves the bytes as they are.
      head.writeUInt8(0x80 | 127, 1);
      head.writeUInt32BE(chunk.length, 6);
      socket.write(Buffer.concat([head, chunk]), () => done());
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const code = rest[1] ?? 0;
      const headBytes = code === 127 ? 10 : code === 126 ? 4 : 2;
      if (rest.length < headBytes) return;
      const length = code === 127 ? rest.readUInt32BE(6) : code === 126 ? rest.readUInt16BE(2) : code;
      if (rest.length < headBytes + length) return;
      if ((rest[0] ?? 0) === 0x82) stream.push(rest.subarray(headBytes, headBytes + length));
      rest = rest.subarray(headBytes + length);
    }
  });
  socket.on('error', () => undefined).on('close', () => stream.destroy());
  return stream;
}

/** HTTP CONNECT: the connection, or the answer's code. */
export function connectThrough(access: Access, authority: string): Promise<Duplex | number> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...connection(access), path: authority, method: 'CONNECT', agent: false });
    outgoing.on('connect', (response, socket) =>
      resolve(response.statusCode === 200 ? socket : (response.statusCode ?? 0)),
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

export interface Session {
  socket: WebSocket;
  /** Messages so far by channel number, put together. */
  text(channel: number): string;
  send(channel: number, data: Buffer | string): Promise<void>;
  closed: Promise<number>;
}

/** Opens a stream; a refused upgrade rejects with the server's `Answer`. */
export function open(access: Access, path: string, protocols: readonly string[]): Promise<Session> {
  const socket = new WebSocket(`wss://127.0.0.1:${access.port}${path}`, [...protocols], connection(access));
  const received = new Map<number, Buffer[]>();
  socket.on('message', (data: Buffer) => {
    const number = data[0] ?? 0;
    received.set(number, [...(received.get(number) ?? []), data.subarray(1)]);
  });
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  const session: Session = {
    socket,
    text: (number) => Buffer.concat(received.get(number) ?? []).toString(),
    send: (number, data) =>
      new Promise((resolve, reject) => {
        const message = Buffer.concat([Buffer.of(number), Buffer.from(data)]);
        socket.send(message, (error) => (error ? reject(error) : resolve()));
      }),
    closed,
  };
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve(session));
    socket.on('unexpected-response', (_request, response) => {
      readAnswer(response).then(reject, reject);
    });
    socket.on('error', reject);
  });
}
