import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { certificateSigningRequests, nodes } from '../../src/api/kinds.js';
import type { CertificateSigningRequest, SubjectAccessReview } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { createInformer } from '../../src/client/informer.js';
import { silentLogger } from '../../src/host/log.js';
import { createKey, createRequest, type RequestedNames } from '../../src/host/x509.js';
import { node } from '../../src/testing/builders.js';
import { createFakeClock, settled } from '../../src/testing/clock.js';
import { createFakeClient } from '../../src/testing/fakeclient.js';
import { createAuthority } from '../auth/ca.js';
import { decide } from './certificaterules.js';
import { createCertificatesController } from './certificates.js';

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
  const owners: Record<string, string[]> = {
    ...{ '192.0.2.1': ['a'], '192.0.2.2': ['b'], '192.0.2.3': ['a', 'b'], '10.96.0.1': [''] },
  };
  const ownersOfIp = (ip: string) => owners[ip] ?? [];
  const year = 365 * 86_400;
  const outcome = (request: CertificateSigningRequest, asked = names(), longest = year): string => {
    const decision = decide(request, { request: asked, ownersOfIp, lifetimeMs: longest * 1000 });
    const text = decision.do === 'approve' ? `approve ${decision.permissions.join('|')}`.trim() : decision.do;
    return 'use' in decision ? `${text} ${decision.use.purpose} ${decision.use.lifetimeMs / 1000}` : text;
  };
  const serving = names({ dnsNames: ['a'], ips: ['192.0.2.1', '192.0.2.9'] });
  const approved = { conditions: [{ type: 'Approved', status: 'True' }] };
  const node = { username: 'system:node:a', groups: ['system:nodes'] };

  t.equal(outcome(csr(clientSigner)), `approve nodeclient client ${year}`);
  t.equal(outcome(csr(clientSigner, node)), `approve selfnodeclient|nodeclient client ${year}`, 'renewal');
  t.equal(outcome(csr(servingSigner), serving), `approve server ${year}`);
  t.equal(outcome(csr(clientSigner, {}, approved)), `sign client ${year}`);
  const lasting = (expirationSeconds: number, longest?: number) =>
    outcome(csr(clientSigner, { expirationSeconds }, approved), names(), longest);
  t.equal(lasting(3600), 'sign client 3600');
  t.equal(lasting(1), 'sign client 600');
  t.equal(lasting(9 * year), `sign client ${year}`);
  t.equal(lasting(3600, 120), 'sign client 120', 'the longest that the master signs');

  const jane = names({ commonName: 'jane', organizations: ['devs'] });
  const user = (status: object, usages = ['client auth']): CertificateSigningRequest =>
    csr('kubernetes.io/kube-apiserver-client', { usages }, status);
  t.equal(outcome(user({}), jane), 'nothing', 'users are never approved by a machine');
  t.equal(outcome(user(approved), jane), `sign client ${year}`);
  t.equal(outcome(user(approved, ['server auth']), jane), 'fail');
  t.equal(outcome(user(approved), { ...jane, organizations: ['system:masters'] }), 'fail');
  t.equal(
    outcome(csr(servingSigner, { username: 'system:bootstrap:abcdef', groups: ['system:nodes'] }), serving),
    'nothing',
    'a serving certificate is for the node itself',
  );
  t.equal(outcome(csr(servingSigner, { groups: [] }), serving), 'nothing');
  t.equal(outcome(csr('example.com/other', {}, approved)), 'nothing');
  t.equal(outcome(csr(clientSigner, {}, { ...approved, certificate: 'x' })), 'nothing');
  for (const type of ['Denied', 'Failed']) {
    const status = { conditions: [...approved.conditions, { type, status: 'True' }] };
    t.equal(outcome(csr(clientSigner, {}, status)), 'nothing', type);
  }

  for (const asked of [
    names({ commonName: 'admin' }),
    names({ commonName: 'system:node:' }),
    names({ organizations: ['system:masters'] }),
    names({ organizations: ['system:nodes', 'system:masters'] }),
    names({ dnsNames: ['a'] }),
    names({ ips: ['192.0.2.1'] }),
    names({ otherNames: 1 }),
  ]) {
    t.equal(outcome(csr(clientSigner, node), asked), 'nothing', `left to a human: ${JSON.stringify(asked)}`);
    t.equal(outcome(csr(clientSigner, node, approved), asked), 'fail', 'who cannot make it good');
  }
  t.equal(outcome(csr(servingSigner, {}, approved)), 'fail', 'no names at all');
  for (const asked of [names({ dnsNames: ['b'] }), names({ dnsNames: ['kubernetes'] })])
    t.equal(outcome(csr(servingSigner), asked), 'nothing', JSON.stringify(asked));
  for (const asked of ['192.0.2.2', '192.0.2.3', '10.96.0.1'].map((ip) => names({ ips: [ip] })))
    t.equal(outcome(csr(servingSigner), asked), 'wait', JSON.stringify(asked));
  const using = (...usages: string[]): string => outcome(csr(clientSigner, { usages }, approved)).slice(0, 4);
  t.equal(using('digital signature', 'key encipherment', 'client auth'), 'sign');
  t.equal(using('client auth', 'cert sign'), 'fail');
  t.equal(using('client auth', 'digital signature', 'server auth'), 'fail');
  t.equal(using('digital signature'), 'fail');
  const torn = { request: new Error('torn'), ownersOfIp, lifetimeMs: year };
  t.equal(decide(csr(clientSigner), torn).do, 'nothing');
  t.equal(decide(csr(clientSigner, {}, approved), torn).do, 'fail');
});

t.test('the controller approves, signs, refuses and removes', async (t) => {
  const clock = createFakeClock(new Date().toISOString());
  const client = createFakeClient({ clock });
  const informer = { client, clock, log: silentLogger };
  const requests = createInformer({ ...informer, type: certificateSigningRequests });
  const nodeInformer = createInformer({ ...informer, type: nodes });
  client.seed(nodes, node('b', { status: { addresses: [{ type: 'InternalIP', address: '192.0.2.2' }] } }));
  const authority = await createAuthority(clock.now());
  const asked: unknown[] = [];
  const create: Client['create'] = async (type, object, options) => {
    if (type.resource !== 'subjectaccessreviews') return client.create(type, object, options);
    const { spec } = object as unknown as SubjectAccessReview;
    asked.push([spec?.user, spec?.resourceAttributes?.subresource]);
    return { ...object, status: { allowed: spec?.user === 'system:bootstrap:abcdef' } };
  };
  const controller = createCertificatesController({
    client: { create, update: client.update, delete: client.delete },
    requests,
    nodes: nodeInformer,
    authority: () => authority,
    lifetimeMs: 3_600_000,
    serviceCidr: '10.96.0.0/16',
    clock,
    log: silentLogger,
  });
  const { signal } = new AbortController();
  for (const component of [requests, nodeInformer, controller]) await component.start(signal);
  t.teardown(async () => {
    for (const component of [controller, requests, nodeInformer]) await component.stop();
  });

  const key = await createKey();
  const ask = async (name: string, wanted: RequestedNames, more = {}, status = {}): Promise<void> => {
    const request = Buffer.from(await createRequest(key, wanted)).toString('base64');
    const object = { ...csr(clientSigner, { request, ...more }, status), metadata: { name } };
    await client.create(certificateSigningRequests, object);
  };
  await ask('good', names());
  await ask('other', names(), { username: 'system:node:b' });
  const approved = { conditions: [{ type: 'Approved', status: 'True' }] };
  await ask('bad', names({ ips: ['192.0.2.2'] }), {}, approved);
  const serving = { signerName: servingSigner, usages: ['digital signature', 'server auth'] };
  const self = { username: 'system:node:a', groups: ['system:nodes'] };
  const posing = ['192.0.2.2', '::ffff:c000:202', '10.96.3.4', '::ffff:a60:1'];
  for (const [index, ip] of posing.entries())
    await ask(`posing-${index}`, names({ ips: [ip] }), { ...serving, ...self });
  const get = (name: string) => client.get(certificateSigningRequests, { name });
  while (!(await get('good')).status?.certificate || !(await get('bad')).status?.conditions?.[1])
    await settled();

  const { status } = await get('good');
  t.match(status?.conditions, [{ type: 'Approved', status: 'True', reason: 'AutoApproved' }]);
  const certificate = new X509Certificate(Buffer.from(status?.certificate ?? '', 'base64'));
  t.equal(certificate.subject, 'O=system:nodes\nCN=system:node:a');
  t.ok(certificate.verify(new X509Certificate(authority.pair.cert).publicKey));
  t.match((await get('bad')).status, {
    conditions: [{ type: 'Approved' }, { type: 'Failed', message: 'IP subjectAltNames are not allowed' }],
  });
  t.strictSame((await get('other')).status, {}, 'nobody said that it may');
  for (const [index, ip] of posing.entries())
    t.strictSame((await get(`posing-${index}`)).status, {}, `an address of others: ${ip}`);
  t.strictSame(asked, [
    ['system:bootstrap:abcdef', 'nodeclient'],
    ['system:node:b', 'nodeclient'],
  ]);

  const left = async (): Promise<number> => (await client.list(certificateSigningRequests)).items.length;
  await clock.advance(3_500_000);
  t.equal(await left(), 3 + posing.length);
  while ((await left()) > 0) await clock.advance(60_000);
});
