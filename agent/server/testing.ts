/**
 * For tests of the agent's API: certificates of a throw-away CA, and a client that speaks HTTPS and channels.
 * Imported by tests only.
 */
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { WebSocket } from 'ws';
import { createKey, importKey, nameOf, signingAlgorithm, x509 } from '../../src/host/x509.js';

export interface Identity {
  key: string;
  cert: string;
}

export interface TestAuthority {
  ca: string;
  issue(commonName: string, organizations?: readonly string[]): Promise<Identity>;
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
    async issue(commonName, organizations = []) {
      const key = await createKey();
      const issued = await x509.X509CertificateGenerator.create({
        subject: nameOf({ commonName, organizations: [...organizations] }),
        issuer,
        publicKey: (await importKey(key)).publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm,
        ...validity,
        extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
      });
      return { key, cert: issued.toString('pem') };
    },
  };
}

/** How a client reaches the server under test. */
export interface Access {
  port: number;
  ca: string;
  identity?: Identity | undefined;
}

export interface Answer {
  code: number;
  body: string;
}

const connection = ({ port, ca, identity }: Access): object => ({ host: '127.0.0.1', port, ca, ...identity });

export function get(access: Access, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...connection(access), path, agent: false }, (response) => {
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
