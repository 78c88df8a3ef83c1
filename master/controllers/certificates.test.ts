import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { certificateSigningRequests, nodes } from '../../src/api/kinds.js';
import type { CertificateSigningRequest } from '../../src/api/types.js';
import { createInformer } from '../../src/client/informer.js';
import { silentLogger } from '../../src/host/log.js';
import { createKey, createRequest, type RequestedNames } from '../../src/host/x509.js';
import { node } from '../../src/testing/builders.js';
import { createFakeClock, settled } from '../../src/testing/clock.js';
import { createFakeClient } from '../../src/testing/fakeclient.js';
import { createAuthority } from '../auth/ca.js';
import { createCertificatesController, decide } from './certificates.js';

const names = (more: Partial<RequestedNames> & { otherNames?: number } = {}) => ({
  commonName: 'system:node:a',
  organizations: ['system:nodes'],
  dnsNames: [],
  ips: [],
  otherNames: 0,
  ...more,
});

const clientSigner = 'kubernetes.io/kube-apiserver-client-kubelet';
const servingSigner = 'kubernetes.io/kubelet-serving';

function csr(
  signerName: string,
  more: Partial<CertificateSigningRequest['spec']> = {},
  status = {},
): CertificateSigningRequest {
  const isClient = signerName === clientSigner;
  return {
    metadata: { name: 'csr-1' },
    spec: {
      request: '',
      signerName,
      usages: ['digital signature', isClient ? 'client auth' : 'server auth'],
      username: isClient ? 'system:bootstrap:abcdef' : 'system:node:a',
      groups: isClient
        ? ['system:bootstrappers', 'system:authenticated']
        : ['system:nodes', 'system:authenticated'],
      ...more,
    },
    status,
  };
}

t.test('decide', async (t) => {
  const ownerOfIp = (ip: string) => ({ '192.0.2.1': 'a', '192.0.2.2': 'b', '10.96.0.1': '' })[ip];
  const outcome = (request: CertificateSigningRequest, asked = names()): string => {
    const decision = decide(request, { request: asked, ownerOfIp });
    return decision.do === 'sign'
      ? `sign ${decision.approve} ${decision.use.purpose} ${decision.use.lifetimeMs / 1000}`
      : decision.do;
  };
  const year = 365 * 86_400;
  const serving = names({ dnsNames: ['a'], ips: ['192.0.2.1', '192.0.2.9'] });

  t.equal(outcome(csr(clientSigner)), `sign true client ${year}`);
  t.equal(
    outcome(csr(clientSigner, { username: 'system:node:a', groups: ['system:nodes'] })),
    `sign true client ${year}`,
    'renewal',
  );
  t.equal(outcome(csr(servingSigner), serving), `sign true server ${year}`);
  t.equal(outcome(csr(clientSigner, { expirationSeconds: 3600 })), 'sign true client 3600');
  t.equal(outcome(csr(clientSigner, { expirationSeconds: 1 })), 'sign true client 600');
  t.equal(outcome(csr(clientSigner, { expirationSeconds: 9 * year })), `sign true client ${year}`);

  t.equal(outcome(csr(clientSigner, { username: 'joe', groups: [] })), 'nothing', 'left to a human');
  const approved = { conditions: [{ type: 'Approved', status: 'True' }] };
  t.equal(outcome(csr(clientSigner, { username: 'joe', groups: [] }, approved)), `sign false client ${year}`);

  const jane = names({ commonName: 'jane', organizations: ['devs'] });
  const user = (status: object, usages = ['client auth']): CertificateSigningRequest =>
    csr('kubernetes.io/kube-apiserver-client', { usages }, status);
  t.equal(outcome(user({}), jane), 'nothing', 'users are never approved by a machine');
  t.equal(outcome(user(approved), jane), `sign false client ${year}`);
  t.equal(outcome(user(approved, ['server auth']), jane), 'fail');
  t.equal(outcome(user(approved), { ...jane, organizations: ['system:masters'] }), 'fail');
  t.equal(
    outcome(csr(clientSigner, { username: 'system:node:b', groups: ['system:nodes'] })),
    'nothing',
    'another node',
  );
  t.equal(
    outcome(
      csr(servingSigner, { username: 'system:bootstrap:abcdef', groups: ['system:bootstrappers'] }),
      serving,
    ),
    'nothing',
  );
  t.equal(outcome(csr('example.com/other')), 'nothing');
  t.equal(outcome(csr(clientSigner, {}, { certificate: 'x' })), 'nothing');
  for (const type of ['Denied', 'Failed']) {
    t.equal(outcome(csr(clientSigner, {}, { conditions: [{ type, status: 'True' }] })), 'nothing', type);
  }

  for (const asked of [
    names({ commonName: 'admin' }),
    names({ commonName: 'system:node:' }),
    names({ organizations: ['system:masters'] }),
    names({ organizations: ['system:nodes', 'system:masters'] }),
    names({ dnsNames: ['a'] }),
    names({ otherNames: 1 }),
  ]) {
    t.equal(outcome(csr(clientSigner), asked), 'fail', JSON.stringify(asked));
  }
  for (const asked of [
    names(),
    names({ dnsNames: ['b'] }),
    names({ dnsNames: ['kubernetes'] }),
    names({ ips: ['192.0.2.2'] }),
    names({ ips: ['10.96.0.1'] }),
  ]) {
    t.equal(outcome(csr(servingSigner), asked), 'fail', JSON.stringify(asked));
  }
  t.equal(outcome(csr(clientSigner, { usages: ['client auth', 'cert sign'] })), 'fail');
  t.equal(outcome(csr(clientSigner, { usages: ['digital signature'] })), 'fail');
  t.equal(decide(csr(clientSigner), { request: new Error('torn'), ownerOfIp }).do, 'fail');
});

t.test('the controller approves, signs, refuses and removes', async (t) => {
  const clock = createFakeClock(new Date().toISOString());
  const client = createFakeClient({ clock });
  const informer = { client, clock, log: silentLogger };
  const requests = createInformer({ ...informer, type: certificateSigningRequests });
  const nodeInformer = createInformer({ ...informer, type: nodes });
  client.seed(nodes, node('b', { status: { addresses: [{ type: 'InternalIP', address: '192.0.2.2' }] } }));
  const authority = await createAuthority(clock.now());
  const controller = createCertificatesController({
    client,
    requests,
    nodes: nodeInformer,
    authority,
    reservedIps: ['10.96.0.1'],
    clock,
    log: silentLogger,
  });
  const { signal } = new AbortController();
  for (const component of [requests, nodeInformer, controller]) await component.start(signal);
  t.teardown(async () => {
    for (const component of [controller, requests, nodeInformer]) await component.stop();
  });

  const key = await createKey();
  const ask = async (name: string, signer: string, asked: RequestedNames): Promise<void> => {
    const request = Buffer.from(await createRequest(key, asked)).toString('base64');
    await client.create(certificateSigningRequests, { ...csr(signer, { request }), metadata: { name } });
  };
  await ask('good', clientSigner, names());
  await ask('bad', servingSigner, names({ ips: ['192.0.2.2'] }));
  const get = (name: string) => client.get(certificateSigningRequests, { name });
  while (!(await get('good')).status?.certificate || !(await get('bad')).status?.conditions) await settled();

  const { status } = await get('good');
  t.match(status?.conditions, [{ type: 'Approved', status: 'True', reason: 'AutoApproved' }]);
  const certificate = new X509Certificate(Buffer.from(status?.certificate ?? '', 'base64'));
  t.equal(certificate.subject, 'O=system:nodes\nCN=system:node:a');
  t.ok(certificate.verify(new X509Certificate(authority.pair.cert).publicKey));
  t.match((await get('bad')).status, {
    conditions: [{ type: 'Failed', message: 'the address 192.0.2.2 is not that of the node' }],
  });

  const left = async (): Promise<number> => (await client.list(certificateSigningRequests)).items.length;
  await clock.advance(3_500_000);
  t.equal(await left(), 2);
  while ((await left()) > 0) await clock.advance(60_000);
});
