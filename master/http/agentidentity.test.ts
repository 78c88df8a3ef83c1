/** Whom the master's link takes for the agent of a node: real TLS servers with certificates of several authorities. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { Node } from '../../src/api/types.js';
import type { KeyPair } from '../../src/host/x509.js';
import { createKey, createRequest } from '../../src/host/x509.js';
import { type Authority, type CertificateUse, createAuthority } from '../auth/ca.js';
import { identityProblem } from './agentidentity.js';
import { AgentLink } from './agentlink.js';

const dayMs = 86_400_000;
const now = new Date();
const ago = (days: number): Date => new Date(now.getTime() - days * dayMs);

const former = await createAuthority(ago(200), 'wherry');
const serving = await createAuthority(ago(100), 'kubelet-serving-ca');
const names = { dnsNames: ['n1', 'localhost'], ips: ['127.0.0.1'] };

async function signed(
  authority: Authority,
  commonName: string,
  at = now,
  purpose: CertificateUse['purpose'] = 'server',
): Promise<KeyPair> {
  const key = await createKey();
  const request = await createRequest(key, { commonName, organizations: ['system:nodes'], ...names });
  return { key, cert: await authority.signRequest(request, { purpose, lifetimeMs: 365 * dayMs }, at) };
}

/** What the link says of a server with this certificate, when it dials the node `n1`. */
async function dial(t: Test, pair: KeyPair, insecure = false): Promise<string> {
  const server = createServer(pair, (_request, response) => response.end('agent')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = await former.issueClient({ commonName: 'master', organizations: [] }, now);
  const link = new AgentLink(() => ({ ...client, ca: serving.pair.cert, formerCa: former.pair.cert }));
  t.teardown(() => {
    link.close();
    server.close();
  });
  const node: Node = {
    metadata: { name: 'n1' },
    status: {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: (server.address() as AddressInfo).port } },
    },
  };
  try {
    const { statusCode } = await link.get({ node, path: '/healthz', insecure });
    return String(statusCode);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

t.test('the agent of the node, and nobody else', async (t) => {
  t.equal(await dial(t, await signed(serving, 'system:node:n1')), '200');
  t.match(
    await dial(t, await signed(serving, 'system:node:n2')),
    /cannot be reached: its certificate is of "system:node:n2", not of "system:node:n1"/,
    'another node with a certificate for this address and name',
  );
  t.equal(await dial(t, await signed(serving, 'system:node:n2'), true), '200', 'who asked for no check');
  t.match(await dial(t, await signed(serving, 'n1')), /is of "n1"/);
  const [{ cert: ca }, { raw, validFrom }] = [serving.pair, new X509Certificate(serving.pair.cert)];
  const nameless = { raw, valid_from: validFrom };
  t.match(identityProblem(nameless, 'n1', { ca, formerCa: ca }), /is of undefined/);
  t.match(await dial(t, await signed(await createAuthority(ago(300)), 'system:node:n1')), /unable to verify/);
  t.match(await dial(t, await signed(serving, 'system:node:n1', ago(99), 'client')), /purpose/);
});

t.test("the cluster's authority: only what it signed before there was another", async (t) => {
  t.equal(await dial(t, await signed(former, 'system:node:n1', ago(101))), '200', 'until it is renewed');
  t.match(await dial(t, await signed(former, 'system:node:n2', ago(101))), /is of "system:node:n2"/);
  t.match(
    await dial(t, await signed(former, 'system:node:n1', ago(99))),
    /not of the authority for serving certificates of agents/,
  );
  const subject = { commonName: 'kube-apiserver', organizations: [] };
  t.match(await dial(t, await former.issueServing(subject, names, ago(101))), /is of "kube-apiserver"/);
});
