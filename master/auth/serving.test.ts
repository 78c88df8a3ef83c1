/**
 * Serving certificates of agents against a whole master: what a node gets without a human is good for the master's way to this
 * node and for nothing else, also in a data directory of before there was an authority for them.
 */
import { once } from 'node:events';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t from 'tap';
import type { CertificateSigningRequest, ConfigMap } from '../../src/api/types.js';
import { clusterInfo } from '../../src/client/clusterinfo.js';
import { systemClock } from '../../src/host/clock.js';
import { isIssuedBy, pemBlocks } from '../../src/host/pem.js';
import { createKey, createRequest, type KeyPair } from '../../src/host/x509.js';
import { loadAuthority } from './ca.js';
import { core, openTestMaster, root, type TestMaster, until } from './mastertesting.js';

const { signal } = new AbortController();
const node = { as: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] };
/** The master's own addresses: the one it listens at and the one it advertises. */
const names = {
  ...{ commonName: 'system:node:n1', organizations: ['system:nodes'] },
  ...{ dnsNames: ['n1'], ips: ['127.0.0.1', '10.0.0.1'] },
};
const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests';

let master: TestMaster;
let agent: Server;
t.before(async () => {
  master = await openTestMaster();
  // One connection per request: each is to see the certificate of the moment.
  const answer = (_request: unknown, response: ServerResponse) =>
    response.writeHead(200, { connection: 'close' }).end('agent');
  agent = createServer(answer).listen(0, '127.0.0.1');
  await once(agent, 'listening');
  await master.make('/api/v1/nodes', { metadata: { name: 'n1' } });
  const status = {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: (agent.address() as AddressInfo).port } },
  };
  const merge = 'application/merge-patch+json';
  const { message } = await master.ask(root, 'PATCH', '/api/v1/nodes/n1/status', { status }, merge);
  if (message) throw new Error(message);
});
t.teardown(async () => {
  await master.close();
  agent.closeAllConnections();
  agent.close();
});

const fileOf = (name: string): Promise<string> =>
  readFile(join(master.directory, 'master/pki', name), 'utf8');

/** As an agent asks: nobody approves it by hand. */
async function obtain(name: string): Promise<KeyPair> {
  const key = await createKey();
  const spec = {
    signerName: 'kubernetes.io/kubelet-serving',
    usages: ['digital signature', 'server auth'],
    request: Buffer.from(await createRequest(key, names)).toString('base64'),
  };
  const made = await master.ask(node, 'POST', requests, { metadata: { name }, spec });
  if (made.code !== 201) throw new Error(made.message);
  for (;;) {
    const { body } = await master.ask(node, 'GET', `${requests}/${name}`);
    const { status } = body as CertificateSigningRequest;
    if (status?.certificate) return { key, cert: Buffer.from(status.certificate, 'base64').toString() };
    await systemClock.sleep(5, signal);
  }
}

/** Why a client that trusts `ca` does not believe the agent's server to be 127.0.0.1; undefined when it does. */
async function doubt(ca: string): Promise<string | undefined> {
  const { port } = agent.address() as AddressInfo;
  const socket = connect({ host: '127.0.0.1', port, ca });
  try {
    await once(socket, 'secureConnect');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    socket.destroy();
  }
}

/** What the API says when it is to ask the agent with this certificate. */
async function proxied(pair: KeyPair): Promise<string> {
  agent.setSecureContext(pair);
  const { code, body, message } = await master.ask(root, 'GET', '/api/v1/nodes/n1/proxy/healthz');
  return code === 200 ? String(body) : message;
}

const dataOf = async (namespace: string, name: string): Promise<Record<string, string>> => {
  const path = core(namespace, `configmaps/${name}`);
  const { body } = await until(200, () => master.ask(root, 'GET', path));
  return (body as ConfigMap).data ?? {};
};

t.test("a node with a certificate for the master's address cannot pose as the master", async (t) => {
  const pair = await obtain('first');
  t.equal(await proxied(pair), 'agent', 'the master believes it to be the agent');
  t.equal(await doubt(await fileOf('kubelet-serving-ca.crt')), undefined, 'it does name the address');
  const kubeRoot = (await dataOf('kube-system', 'kube-root-ca.crt'))['ca.crt'] ?? '';
  const info = await dataOf(clusterInfo.namespace, clusterInfo.name);
  const kubeconfig = /certificate-authority-data: (\S+)/.exec(info['kubeconfig'] ?? '')?.[1] ?? '';
  const trusted = [master.ca, kubeRoot, info['ca.crt'] ?? '', Buffer.from(kubeconfig, 'base64').toString()];
  for (const ca of trusted) {
    t.equal(pemBlocks(ca, 'CERTIFICATE').length, 1);
    t.equal(await doubt(ca), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  }
  t.equal(info[clusterInfo.servingAuthorities], await fileOf('kubelet-serving-ca.crt'), 'agents are told');
});

t.test('a data directory of before', async (t) => {
  const pki = join(master.directory, 'master/pki');
  const dayMs = 86_400_000;
  const ca = await loadAuthority({ cert: await fileOf('ca.crt'), key: await fileOf('ca.key') });
  const ofCluster = async (at: Date): Promise<KeyPair> => {
    const key = await createKey();
    const use = { purpose: 'server', lifetimeMs: 365 * dayMs } as const;
    return { key, cert: await ca.signRequest(await createRequest(key, names), use, at) };
  };
  const before = await ofCluster(new Date(Date.now() - dayMs));
  await master.restart(async () => {
    for (const name of await readdir(pki))
      if (name.startsWith('kubelet-serving-ca')) await rm(join(pki, name));
  });
  for (const name of ['kubelet-serving-ca.key', 'kubelet-serving-ca.crt'])
    t.equal((await stat(join(pki, name))).mode & 0o777, 0o600);
  t.equal(await fileOf('ca.crt'), ca.pair.cert, 'the other one stays');

  t.equal(await proxied(before), 'agent', "the agent's certificate of before is good");
  t.match(
    await proxied(await ofCluster(new Date())),
    /not of the authority for serving certificates of agents/,
  );
  const renewed = await obtain('second');
  t.ok(isIssuedBy(renewed.cert, await fileOf('kubelet-serving-ca.crt')));
  t.equal(await proxied(renewed), 'agent');
  const told = async () =>
    (await dataOf(clusterInfo.namespace, clusterInfo.name))[clusterInfo.servingAuthorities];
  const now = await fileOf('kubelet-serving-ca.crt');
  while ((await told()) !== now) await systemClock.sleep(5, signal);
});
