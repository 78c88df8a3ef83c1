/**
 * Builders for tests of admission: a real HTTPS webhook server with a made certificate, and a registry with the chain in
 * it. Imported by tests only.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import type { EndpointSlice, KubeObject } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { createCaller } from '../aggregation/caller.js';
import type { Dial } from '../aggregation/pool.js';
import { createAuthority } from '../auth/ca.js';
import { createRegistryClient } from '../registry/client.js';
import { createTestRegistry, type TestRegistry } from '../registry/testing.js';
import type { Resource } from '../resources/resource.js';
import { createAdmissionChain } from './chain.js';
import { createAdmissionSlot } from './slot.js';
import type { AuthorizerFunction } from './variables.js';

export interface TestTls {
  /** What trusts the server: PEM in base64. */
  caBundle: string;
  server: { cert: string; key: string };
}

export async function createTestTls(dnsNames: readonly string[] = ['localhost']): Promise<TestTls> {
  const now = new Date();
  const authority = await createAuthority(now);
  const subject = { commonName: 'webhook', organizations: [] };
  const server = await authority.issueServing(subject, { dnsNames, ips: ['127.0.0.1'] }, now);
  return { caBundle: Buffer.from(authority.pair.cert).toString('base64'), server };
}

export interface Review {
  apiVersion: string;
  request: Record<string, unknown> & {
    uid: string;
    object: KubeObject | null;
    oldObject: KubeObject | null;
  };
}

export interface WebhookServer {
  url: string;
  port: number;
  /** Every review that came in, in order. */
  reviews: Review[];
  connections(): number;
  close(): Promise<void>;
}

type Respond = (
  review: Review,
  path: string,
  raw: { request: IncomingMessage; response: ServerResponse },
) => unknown;

/** `respond` gives `response` without its uid; an answer of its own when it writes one and returns undefined. */
export async function startWebhook(
  tls: TestTls,
  respond: Respond,
  more: ServerOptions = {},
): Promise<WebhookServer> {
  const reviews: Review[] = [];
  let connections = 0;
  const server: Server = createServer({ ...tls.server, ...more }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const review = JSON.parse(Buffer.concat(chunks).toString()) as Review;
      reviews.push(review);
      const [path = ''] = (request.url ?? '').split('?');
      const given = respond(review, path, { request, response });
      if (given === undefined) return;
      const { apiVersion } = review;
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          apiVersion,
          kind: 'AdmissionReview',
          response: { uid: review.request.uid, ...(given as object) },
        }),
      );
    });
  });
  server.on('secureConnection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://localhost:${port}`,
    port,
    reviews,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Every pod is a port of this host. */
export const dialHere: Dial = async ({ port }) => connect({ host: '127.0.0.1', port });

/** One endpoint of a Service: the pod at `port`. */
export const sliceOf = (service: string, name: string, port: number, ready = true): EndpointSlice => ({
  metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': service } },
  addressType: 'IPv4',
  endpoints: [
    {
      addresses: ['10.1.2.3'],
      conditions: { ready },
      nodeName: 'here',
      targetRef: { kind: 'Pod', namespace: 'default', name },
    },
  ],
  ports: [{ name: 'https', port, protocol: 'TCP' }],
});

export interface TestAdmission extends TestRegistry {
  client: Client;
  annotations: Map<string, string>;
  /** Resolves when the chain has seen what was written so far. */
  settle(isSeen: () => boolean): Promise<void>;
  concerns(resource: string, operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT', sub?: string): boolean;
  concernsRow(row: Resource, operation: 'CREATE'): boolean;
  close(): Promise<void>;
}

export async function createTestAdmission(
  more: { authorize?: AuthorizerFunction; resources?: readonly Resource[] } = {},
): Promise<TestAdmission> {
  const slot = createAdmissionSlot();
  const { authorize = () => ({ allowed: true, reason: '' }), ...rest } = more;
  const made = await createTestRegistry({ clock: systemClock, admission: slot, ...rest });
  const client = createRegistryClient(made.registry, { name: 'tester', groups: ['testers'], uid: 'u-1' });
  const annotations = new Map<string, string>();
  const caller = createCaller({ client, clock: systemClock, dial: dialHere });
  const chain = createAdmissionChain({
    client,
    resources: made.registry.resources,
    caller,
    authorize,
    clock: systemClock,
    log: silentLogger,
    annotate: (_request, key, value) => annotations.set(key, value),
  });
  await chain.start(new AbortController().signal);
  slot.use(chain);
  return {
    ...made,
    client,
    annotations,
    async settle(isSeen) {
      for (let turn = 0; turn < 1000 && !isSeen(); turn += 1)
        await new Promise((resolve) => setImmediate(resolve));
    },
    concerns: (resource, operation, sub = '') => chain.concerns(made.rowOf(resource), operation, sub),
    concernsRow: (row, operation) => chain.concerns(row, operation, ''),
    close: () => {
      caller.close();
      return chain.stop();
    },
  };
}

export const patchOf = (operations: readonly object[]): { patchType: string; patch: string } => ({
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
});
