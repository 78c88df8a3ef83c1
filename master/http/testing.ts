/**
 * A whole API server for tests: TLS on a free port of 127.0.0.1, the real registry over the memory store, a made CA, and
 * an authenticator that knows a few tokens and whoever shows a certificate of that CA. Imported by tests only.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/host/clock.js';
import { runChecked } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import type { Attributes, Authenticator, Authorizer } from '../auth/auth.js';
import type { User } from '../registry/registry.js';
import { createTestRegistry, type TestRegistry, type TestRegistryOptions } from '../registry/testing.js';
import { HttpServer, type HttpServerOptions } from './server.js';

export interface TestCertificates {
  ca: string;
  /** For 127.0.0.1 and localhost. */
  server: { cert: string; key: string };
  /** Subject CN=cert-user, O=system:masters. */
  client: { cert: string; key: string };
  /** Of the agent of the node `n1`. */
  agent: { cert: string; key: string };
  /** The same subject as the client's from another CA. */
  stranger: { cert: string; key: string };
}

export async function createTestCertificates(): Promise<TestCertificates> {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-http-'));
  const file = (name: string): string => join(directory, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '3650'];
  const newCa = async (name: string): Promise<void> => {
    const out = ['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`), '-subj', `/CN=${name}`];
    await runChecked('openssl', ['req', '-x509', ...newKey, ...out]);
  };
  const issue = async (ca: string, name: string, subject: string): Promise<{ cert: string; key: string }> => {
    const from = ['-CA', file(`${ca}.crt`), '-CAkey', file(`${ca}.key`)];
    const names = [
      '-addext',
      'subjectAltName=IP:127.0.0.1,DNS:localhost',
      '-addext',
      'basicConstraints=CA:FALSE',
    ];
    const out = ['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`), '-subj', subject];
    await runChecked('openssl', ['req', '-x509', ...newKey, ...from, ...names, ...out]);
    return {
      cert: await readFile(file(`${name}.crt`), 'utf8'),
      key: await readFile(file(`${name}.key`), 'utf8'),
    };
  };
  try {
    await Promise.all([newCa('ca'), newCa('other')]);
    const [server, client, agent, stranger] = await Promise.all([
      issue('ca', 'server', '/CN=kube-apiserver'),
      issue('ca', 'client', '/O=system:masters/CN=cert-user'),
      issue('ca', 'agent', '/O=system:nodes/CN=system:node:n1'),
      issue('other', 'stranger', '/O=system:masters/CN=cert-user'),
    ]);
    return { ca: await readFile(file('ca.crt'), 'utf8'), server, client, agent, stranger };
  } finally {
    await rm(directory, { recursive: true });
  }
}

const tokens: Readonly<Record<string, User>> = {
  'admin-token': { name: 'admin', groups: ['system:masters'] },
  'nobody-token': { name: 'nobody', groups: [] },
};

const authenticator: Authenticator = {
  authenticate: async ({ bearerToken, certificate }) => {
    if (bearerToken !== undefined) return tokens[bearerToken];
    return certificate && { name: certificate.commonName, groups: certificate.organizations };
  },
};

export interface Answered {
  code: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** The body as JSON; throws when it is none. */
  json<T = Record<string, unknown>>(): T;
}

export interface Asked {
  headers?: Record<string, string | string[]>;
  body?: string | Buffer | object;
  /** `admin-token` by default; null sends none. */
  token?: string | null;
  certificate?: { cert: string; key: string };
}

export interface TestServer extends TestRegistry {
  server: HttpServer;
  certificates: TestCertificates;
  url: string;
  /** What the authorizer was asked. */
  asked: Attributes[];
  ask(method: string, path: string, how?: Asked): Promise<Answered>;
  close(): Promise<void>;
}

export async function createTestServer(
  more: Partial<HttpServerOptions> = {},
  ofRegistry: TestRegistryOptions = {},
): Promise<TestServer> {
  const registry = await createTestRegistry({ clock: systemClock, ...ofRegistry });
  const certificates = await createTestCertificates();
  const asked: Attributes[] = [];
  const authorizer: Authorizer = {
    authorize: async (attributes) => {
      asked.push(attributes);
      return { allowed: attributes.user.groups.includes('system:masters'), reason: '' };
    },
  };
  const server = new HttpServer({
    registry: registry.registry,
    authenticator,
    authorizer,
    clock: systemClock,
    log: silentLogger,
    serving: { ...certificates.server, ca: certificates.ca },
    agentCredentials: () => ({ ...certificates.client, ca: certificates.ca, formerCa: certificates.ca }),
    bindAddress: '127.0.0.1',
    port: 0,
    serverAddress: '127.0.0.1:6443',
    ...more,
  });
  await server.start();
  const { port } = server.address();
  const ask = (method: string, path: string, how: Asked = {}): Promise<Answered> =>
    send({ method, path, port, ca: certificates.ca, ...how });
  return {
    ...registry,
    server,
    certificates,
    url: `https://127.0.0.1:${port}`,
    asked,
    ask,
    close: () => server.stop(),
  };
}

type Sent = Asked & { method: string; path: string; port: number; ca: string };

function send({
  method,
  path,
  port,
  ca,
  headers,
  body,
  token = 'admin-token',
  certificate,
}: Sent): Promise<Answered> {
  const payload =
    typeof body === 'string' || Buffer.isBuffer(body) || body === undefined ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: '127.0.0.1',
      port,
      method,
      path,
      ca,
      agent: false,
      headers: {
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(payload !== undefined && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
        }),
        ...headers,
      },
      ...certificate,
    });
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({
          code: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: <T>() => JSON.parse(text) as T,
        });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}
