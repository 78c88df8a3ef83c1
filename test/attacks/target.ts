/**
 * What is attacked: a whole master in this process, with one node whose agent writes down what it is asked; and a way to say
 * any bytes to it over TLS. Imported by tests only.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { createMaster } from '../../master/main.js';
import { testOptions, tokenOf } from '../../master/testing.js';
import { certificateSigningRequests, nodes, pods } from '../../src/api/kinds.js';
import type { Node, Pod } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { loadKubeconfig } from '../../src/client/kubeconfig.js';
import { createRestClient } from '../../src/client/rest.js';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { createKey, createRequest } from '../../src/host/x509.js';

const host = '127.0.0.1';
/** Longer than anything here may take. */
const patienceMs = 20_000;

export interface Said {
  /** Everything that came back until the master closed the connection. */
  text: string;
  /** The status codes of all answers, in order. */
  codes: number[];
  /** The body of the last answer as a Status; undefined when it is none. */
  status: { kind?: string; code?: number; reason?: string; message?: string } | undefined;
}

export interface Target {
  /** As the administrator, well-behaved. */
  client: Client;
  /** Bearer tokens: of the administrator, and of a service account that may do nothing. */
  tokens: { admin: string; nobody: string };
  /** Paths that the agent was asked for since the last call. */
  agentSaw(): string[];
  /** What the agent says from now on to everything, byte for byte, before it hangs up; 200 when undefined. */
  agentSays(bytes: string | undefined): void;
  /** Resolves when the master closed the connection; rejects when it does not. */
  say(bytes: string | Buffer): Promise<Said>;
  stop(): Promise<void>;
}

/** With a node `n1` and a pod `web` on it in the namespace `default`. */
export async function startTarget(): Promise<Target> {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-attacks-'));
  const options = await testOptions(directory, { nodeMonitorGracePeriod: '1h' });
  const master = createMaster(options, { clock: systemClock, log: silentLogger });
  await master.start(new AbortController().signal);
  const access = await loadKubeconfig(options.adminKubeconfig);
  const { ca = '', token: admin = '' } = access;
  const client = createRestClient({ ...access, server: master.url() });
  const agent = await startAgent(client, ca);
  const tokens = { admin, nobody: await tokenOf(client, { namespace: 'default', name: 'default' }) };
  await furnish(client, agent.port);
  return {
    client,
    tokens,
    agentSaw: () => agent.seen.splice(0),
    agentSays: agent.says,
    say: (bytes) => exchange({ port: options.securePort, ca }, bytes),
    async stop() {
      await agent.close();
      await master.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function exchange(to: { port: number; ca: string }, bytes: string | Buffer): Promise<Said> {
  const socket = connect({ ...to, host });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // A master that refuses early may close before everything was sent.
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve, reject) => {
    const late = systemClock.after(patienceMs, () => {
      socket.destroy();
      reject(new Error(`the connection is still open; said so far: ${Buffer.concat(chunks).toString()}`));
    });
    socket.once('close', () => {
      late();
      resolve();
    });
  });
  socket.write(bytes);
  await closed;
  const text = Buffer.concat(chunks).toString();
  const codes = [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, code]) => Number(code));
  return { text, codes, status: statusIn(text) };
}

function statusIn(text: string): Said['status'] {
  const start = text.lastIndexOf('{"kind":"Status"');
  return start < 0 ? undefined : JSON.parse(text.slice(start, text.lastIndexOf('}') + 1));
}

/** Says 200 to everything; or what it is told to. */
async function startAgent(client: Client, ca: string) {
  const seen: string[] = [];
  let lie: string | undefined;
  const server = createHttpsServer({ ca, ...(await servingCertificate(client)) }, (request, response) => {
    seen.push(request.url ?? '');
    if (lie === undefined) response.end('agent');
    else request.socket.end(lie);
  });
  server.on('upgrade', (request, socket) => {
    seen.push(request.url ?? '');
    socket.end(lie ?? 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nagent');
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    seen,
    says: (bytes: string | undefined) => {
      lie = bytes;
    },
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function servingCertificate(client: Client): Promise<{ cert: string; key: string }> {
  const key = await createKey();
  const names = {
    commonName: 'system:node:n1',
    organizations: ['system:nodes'],
    dnsNames: ['n1'],
    ips: [host],
  };
  const made = await client.create(certificateSigningRequests, {
    metadata: { name: 'agent' },
    spec: {
      signerName: 'kubernetes.io/kubelet-serving',
      usages: ['digital signature', 'server auth'],
      request: Buffer.from(await createRequest(key, names)).toString('base64'),
    },
  });
  const approved = { type: 'Approved', status: 'True', reason: 'Test', message: 'for a test' };
  await client.update(
    certificateSigningRequests,
    { ...made, status: { conditions: [approved] } },
    { subresource: 'approval' },
  );
  const wait = new AbortController().signal;
  for (;;) {
    const { status } = await client.get(certificateSigningRequests, { name: 'agent' });
    if (status?.certificate) return { key, cert: Buffer.from(status.certificate, 'base64').toString() };
    await systemClock.sleep(20, wait);
  }
}

async function furnish(client: Client, agentPort: number): Promise<void> {
  const node: Node = { metadata: { name: 'n1' } };
  await client.create(nodes, node);
  const status = {
    addresses: [{ type: 'InternalIP', address: host }],
    daemonEndpoints: { kubeletEndpoint: { Port: agentPort } },
  };
  await client.update(nodes, { ...node, status }, { subresource: 'status' });
  const pod: Pod = {
    metadata: { name: 'web', namespace: 'default' },
    spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'web' }] },
  };
  await client.create(pods, pod);
}
