import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmod, readFile, rm, stat } from 'node:fs/promises';
import { connect, createServer, type TLSSocket } from 'node:tls';
import t from 'tap';
import { secrets } from '../../src/api/kinds.js';
import { parseJoinToken } from '../../src/client/jointoken.js';
import { loadKubeconfig } from '../../src/client/kubeconfig.js';
import { certificateHash, coversNames, lifetimePassed, pemBlocks } from '../../src/host/pem.js';
import { createKey, createRequest, readRequest, x509 } from '../../src/host/x509.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createFakeClient } from '../../src/testing/fakeclient.js';
import type { Attributes, Decision } from './auth.js';
import { createAuthenticator } from './authn/authenticator.js';
import { createAuthorizer } from './authorizer.js';
import { writeAdminKubeconfig } from './kubeconfig.js';
import { ensurePki, type Pki, type PkiOptions } from './pki.js';
import { createTestGraph, createTestRoles } from './testing.js';
import { createBootstrapToken } from './token.js';

const dayMs = 24 * 60 * 60_000;

const pkiOptions = (directory: string): PkiOptions => ({
  directory: `${directory}/master`,
  dnsNames: ['master.example'],
  ips: ['192.0.2.10', '10.96.0.1', '2001:db8::1'],
  clock: { now: () => new Date() },
});

t.test('pki: made once, private, kept', async (t) => {
  const options = pkiOptions(t.testdir());
  const pki = await ensurePki(options);
  t.ok(
    coversNames(
      pki.serving.cert,
      ['master.example', 'kubernetes.default.svc'],
      ['192.0.2.10', '127.0.0.1', '2001:db8::1'],
    ),
  );
  t.notOk(coversNames(pki.serving.cert, ['example'], []));
  t.equal(pemBlocks(pki.serving.cert, 'CERTIFICATE').length, 2);
  t.ok(new X509Certificate(pki.ca).ca);
  t.equal(new X509Certificate(pki.admin.cert).subject, 'O=system:masters\nCN=kubernetes-admin');
  for (const name of ['pki/ca.key', 'pki/server.key', 'pki/admin.key', 'admin.token']) {
    t.equal((await stat(`${options.directory}/${name}`)).mode & 0o777, 0o600, name);
  }
  const again = await ensurePki(options);
  const texts = ({ authority, authorities, ...rest }: Pki) => [authority.pair, authorities.ca.trusted, rest];
  t.same(texts(again), texts(pki));
});

t.test(
  'pki: re-issued when old, or when an address is missing, or after a torn write; the authority never',
  async (t) => {
    const options = pkiOptions(t.testdir());
    const pki = await ensurePki(options);
    const moved = await ensurePki({ ...options, ips: [...options.ips, '192.0.2.11'] });
    t.not(moved.serving.cert, pki.serving.cert);
    t.equal(moved.admin.cert, pki.admin.cert);
    const later = { now: () => new Date(Date.now() + 0.75 * 365 * dayMs) };
    const old = await ensurePki({ ...options, clock: later });
    t.not(old.admin.cert, pki.admin.cert);
    t.ok(lifetimePassed(old.admin.cert, later.now()) < 0.01);
    t.equal(old.ca, pki.ca);
    await rm(`${options.directory}/pki/admin.crt`);
    t.ok((await ensurePki(options)).admin.cert);
    await chmod(`${options.directory}/admin.token`, 0o644);
    await t.rejects(ensurePki(options), /mode 644/);
    await chmod(`${options.directory}/admin.token`, 0o600);
    await rm(`${options.directory}/pki/ca.key`);
    await t.rejects(ensurePki(options), /ca.key is missing/);
  },
);

t.test('TLS with these certificates: mutual, with the chain', async (t) => {
  const pki = await ensurePki(pkiOptions(t.testdir()));
  const server = createServer({ ...pki.serving, ca: pki.ca, requestCert: true, rejectUnauthorized: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const connected = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const socket = connect({ port, host: '127.0.0.1', ca: pki.ca, ...pki.admin });
  await once(socket, 'secureConnect');
  const [peer] = await connected;
  t.ok(socket.authorized && peer.authorized);
  t.match(peer.getPeerCertificate().subject, { CN: 'kubernetes-admin', O: 'system:masters' });
  t.equal(certificateHash(socket.getPeerCertificate(true).issuerCertificate.raw), certificateHash(pki.ca));
  socket.destroy();
});

t.test('requests: signed as asked, refused when forged', async (t) => {
  const { authority, ca } = await ensurePki(pkiOptions(t.testdir()));
  const key = await createKey();
  const names = {
    commonName: 'system:node:a',
    organizations: ['system:nodes'],
    dnsNames: ['a'],
    ips: ['192.0.2.1', '2001:db8::2'],
  };
  const request = await createRequest(key, names);
  t.same(await readRequest(request), { ...names, otherNames: 0 });
  const cert = await authority.signRequest(request, { purpose: 'server', lifetimeMs: dayMs }, new Date());
  const parsed = new X509Certificate(cert);
  t.ok(parsed.verify(new X509Certificate(ca).publicKey));
  t.ok(coversNames(cert, ['a'], ['192.0.2.1', '2001:db8::2']));
  t.match(parsed.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  const rsa = await crypto.subtle.generateKey(
    {
      ...{ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
      ...{ modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
    },
    true,
    ['sign', 'verify'],
  );
  const ofUser = await x509.Pkcs10CertificateRequestGenerator.create(
    { name: 'CN=jane', keys: rsa, signingAlgorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } },
    crypto,
  );
  const pem = ofUser.toString('pem');
  t.match(await readRequest(pem), { commonName: 'jane' });
  const issued = await authority.signRequest(pem, { purpose: 'client', lifetimeMs: dayMs }, new Date());
  t.match(new X509Certificate(issued), { subject: 'CN=jane', publicKey: { asymmetricKeyType: 'rsa' } });
  // What is approved is what was read, whatever encoding the text looks like: these are the bytes of system:masters.
  const dressed = '#130e73797374656d3a6d617374657273';
  const encoded = new x509.Name([{ O: [{ utf8String: dressed }] }, { CN: ['jane'] }]);
  const dressedUp = await x509.Pkcs10CertificateRequestGenerator.create(
    { name: encoded, keys: rsa, signingAlgorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } },
    crypto,
  );
  const text = dressedUp.toString('pem');
  t.same((await readRequest(text)).organizations, [dressed]);
  const disguised = await authority.signRequest(text, { purpose: 'client', lifetimeMs: dayMs }, new Date());
  t.equal(new X509Certificate(disguised).toLegacyObject().subject['O'], dressed);
  const twoNames = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      ...{ name: 'CN=system:node:a, CN=system:kube-scheduler', keys: rsa },
      signingAlgorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    },
    crypto,
  );
  await t.rejects(readRequest(twoNames.toString('pem')), /several common names/);
  const other = (await createRequest(await createKey(), { ...names, commonName: 'system:node:b' })).split(
    '\n',
  );
  const forged = request
    .split('\n')
    .map((line, n, lines) => (n === lines.length - 3 ? (other.at(n) ?? line) : line))
    .join('\n');
  await t.rejects(readRequest(forged));
  await t.rejects(readRequest('nonsense'));
});

t.test('kubeconfig of the administrator', async (t) => {
  const directory = t.testdir();
  const pki = await ensurePki(pkiOptions(directory));
  const path = `${directory}/etc/admin.kubeconfig`;
  await writeAdminKubeconfig(path, 'https://192.0.2.10:6443', pki);
  t.equal((await stat(path)).mode & 0o777, 0o600);
  const { ino } = await stat(path);
  await writeAdminKubeconfig(path, 'https://192.0.2.10:6443', pki);
  t.equal((await stat(path)).ino, ino, 'not written again');
  t.match(await loadKubeconfig(path), {
    server: 'https://192.0.2.10:6443',
    ca: pki.ca,
    token: pki.adminToken,
    cert: pki.admin.cert,
  });
  t.match(await readFile(path, 'utf8'), /kubernetes-admin@wherry/);
});

t.test('authenticator', async (t) => {
  const clock = createFakeClock();
  const client = createFakeClient({ clock });
  const { ca } = await ensurePki(pkiOptions(t.testdir()));
  const authenticator = createAuthenticator({ adminToken: 'the-admin-token', client, clock });
  const who = async (bearerToken?: string, certificate?: { commonName: string; organizations: string[] }) =>
    authenticator.authenticate({ bearerToken, certificate });

  t.equal(await who(), undefined);
  t.equal(await who('wrong'), undefined);
  t.same(await who('the-admin-token'), {
    name: 'kubernetes-admin',
    groups: ['system:masters', 'system:authenticated'],
  });
  t.same(await who('wrong', { commonName: 'system:node:a', organizations: ['system:nodes'] }), {
    name: 'system:node:a',
    groups: ['system:nodes', 'system:authenticated'],
  });

  const token = parseJoinToken(await createBootstrapToken(client, { ca, ttlMs: 60_000, clock }));
  t.equal(token.caHash, certificateHash(ca));
  const bearer = `${token.id}.${token.secret}`;
  t.same(await who(bearer), {
    name: `system:bootstrap:${token.id}`,
    groups: ['system:bootstrappers', 'system:authenticated'],
  });
  t.equal(await who(`${token.id}.0000000000000000`), undefined);
  t.equal(await who(`zzzzzz.${token.secret}`), undefined);
  await clock.advance(60_000);
  t.equal(await who(bearer), undefined, 'expired');

  const eternal = parseJoinToken(await createBootstrapToken(client, { ca, ttlMs: 0, clock }));
  t.ok(await who(`${eternal.id}.${eternal.secret}`));
  const ref = { namespace: 'kube-system', name: `bootstrap-token-${eternal.id}` };
  const stored = await client.get(secrets, ref);
  await client.update(secrets, { ...stored, type: 'Opaque' });
  t.equal(await who(`${eternal.id}.${eternal.secret}`), undefined, 'only the documented type');
});

t.test('join tokens: parsed strictly, never quoted in errors', async (t) => {
  for (const text of [
    '',
    'abc',
    `wherry.${'0'.repeat(63)}.abcdef.0123456789abcdef`,
    `wherry.${'0'.repeat(64)}.ABCDEF.0123456789abcdef`,
  ]) {
    t.throws(() => parseJoinToken(text), /must look like/);
  }
  t.throws(() => parseJoinToken('wherry.mysecret'), { message: /^((?!mysecret).)*$/ });
});

t.test('authorizer', async (t) => {
  const authorizer = createAuthorizer({
    rbac: createTestRoles(),
    graph: createTestGraph([
      ...[
        'a pods default/a1',
        'a secrets default/s',
        'a configmaps default/c',
        'a serviceaccounts default/r',
      ],
      ...['a persistentvolumeclaims default/c', 'a persistentvolumes pv', 'a volumeattachments va'],
    ]),
  });
  const users: Record<string, string[]> = {
    root: ['system:masters', 'system:authenticated'],
    'system:node:a': ['system:nodes', 'system:authenticated'],
    'system:node:x': ['system:authenticated'],
    'system:node:': ['system:nodes', 'system:authenticated'],
    'system:bootstrap:abcdef': ['system:bootstrappers', 'system:authenticated'],
    joe: ['system:authenticated'],
    'system:anonymous': ['system:unauthenticated'],
  };
  /** `user verb group/resource[/sub] [namespace/]name [fields]` or `user verb /path`. */
  const ask = async (line: string): Promise<Decision> => {
    const [user = '', verb = '', what = '', at = '', fieldSelector] = line.split(' ');
    const [group = '', resource = '', subresource = ''] = what.split('/');
    const isPath = what.startsWith('/');
    const [namespace, name] = at.includes('/') ? at.split('/') : [undefined, at];
    const request: Attributes = {
      user: { name: user, groups: users[user] ?? [] },
      verb,
      group: isPath ? '' : group.replace('core', ''),
      version: 'v1',
      resource: isPath ? '' : resource,
      subresource: isPath ? '' : subresource,
      namespace,
      name: name || undefined,
      path: isPath ? what : undefined,
      fieldSelector,
    };
    return authorizer.authorize(request);
  };
  const may = async (line: string): Promise<boolean> => (await ask(line)).allowed;
  const node = 'system:node:a';
  for (const line of [
    'root delete core/secrets kube-system/x',
    'root post /anything',
    `${node} create core/nodes`,
    `${node} patch core/nodes/status a`,
    `${node} list core/nodes`,
    `${node} get core/pods default/a1`,
    `${node} watch core/pods default/a1 metadata.name=a1`,
    `${node} list core/pods / spec.nodeName=a`,
    `${node} watch core/pods default/ status.phase!=Failed,spec.nodeName==a`,
    `${node} patch core/pods/status default/a1`,
    `${node} create core/pods/eviction default/a1`,
    `${node} create core/serviceaccounts/token default/r`,
    `${node} get core/serviceaccounts default/r`,
    `${node} patch core/persistentvolumeclaims/status default/c`,
    `${node} get storage.k8s.io/volumeattachments va`,
    `${node} create storage.k8s.io/csinodes`,
    `${node} patch storage.k8s.io/csinodes a`,
    `${node} get /apis/apps/v1`,
    `${node} delete core/pods default/a1`,
    `${node} create core/pods default/`,
    `${node} create coordination.k8s.io/leases kube-node-lease/`,
    `${node} update coordination.k8s.io/leases kube-node-lease/a`,
    `${node} get core/secrets default/s`,
    `${node} get node.k8s.io/runtimeclasses fast`,
    `${node} watch core/configmaps default/c`,
    `${node} watch core/persistentvolumeclaims default/c`,
    `${node} get core/persistentvolumes pv`,
    `${node} watch discovery.k8s.io/endpointslices`,
    `${node} create core/events default/`,
    `${node} create certificates.k8s.io/certificatesigningrequests`,
    'system:bootstrap:abcdef create certificates.k8s.io/certificatesigningrequests',
    'system:bootstrap:abcdef watch certificates.k8s.io/certificatesigningrequests csr-1',
    'joe get /apis/apps/v1',
    'joe get /openapi/v3',
    'system:anonymous get /healthz',
    'system:anonymous get /version',
  ]) {
    t.ok(await may(line), line);
  }
  for (const line of [
    `${node} delete core/nodes a`,
    `${node} get core/nodes/proxy a`,
    `${node} list core/pods`,
    `${node} list core/pods default/`,
    `${node} list core/pods / spec.nodeName=b`,
    `${node} list core/pods / spec.nodeName!=a`,
    `${node} list core/pods / spec.nodeName=b\\,spec.nodeName=a`,
    `${node} list core/pods / spec.nodeName`,
    `${node} get core/pods default/b1`,
    `${node} watch core/pods default/b1 metadata.name=b1`,
    `${node} patch core/pods default/a1`,
    `${node} deletecollection core/pods default/ spec.nodeName=a`,
    `${node} get core/pods/log default/a1`,
    `${node} create core/pods/exec default/a1`,
    `${node} create core/pods/binding default/a1`,
    `${node} get core/serviceaccounts default/other`,
    `${node} list core/serviceaccounts default/`,
    `${node} create core/serviceaccounts default/`,
    `${node} create core/serviceaccounts/token default/other`,
    `${node} get core/secrets default/other`,
    `${node} watch core/secrets default/other`,
    `${node} get core/secrets other/s`,
    `${node} get core/configmaps default/s`,
    `${node} get core/persistentvolumes other`,
    `${node} patch core/persistentvolumeclaims/status default/other`,
    `${node} get storage.k8s.io/volumeattachments other`,
    `${node} list storage.k8s.io/volumeattachments`,
    `${node} patch storage.k8s.io/csinodes b`,
    `${node} list storage.k8s.io/csinodes`,
    `${node} list coordination.k8s.io/leases kube-node-lease/`,
    `${node} list core/namespaces`,
    `${node} get /metrics`,
    'system:node: create core/nodes',
    `${node} update coordination.k8s.io/leases kube-node-lease/b`,
    `${node} update coordination.k8s.io/leases default/a`,
    `${node} update core/secrets default/s`,
    `${node} list core/secrets default/`,
    `${node} watch core/configmaps`,
    `${node} list core/persistentvolumeclaims default/`,
    `${node} list core/persistentvolumes`,
    `${node} update core/persistentvolumeclaims default/c`,
    `${node} get core/secrets kube-system/bootstrap-token-abcdef`,
    `${node} update certificates.k8s.io/certificatesigningrequests/status csr-1`,
    `${node} update certificates.k8s.io/certificatesigningrequests/approval csr-1`,
    `${node} list apps/deployments`,
    'system:node:x list core/pods',
    'system:bootstrap:abcdef list core/secrets',
    'system:bootstrap:abcdef list core/nodes',
    'joe list core/pods default/',
    'joe post /apis',
    'system:anonymous get /apis',
    'system:anonymous list core/pods',
  ]) {
    t.notOk(await may(line), line);
  }
  const why = async (line: string): Promise<string> => (await ask(line)).reason;
  const unrelated = "no relationship found between node 'a' and this object";
  t.equal(await why(`${node} get core/secrets default/other`), unrelated);
  t.equal(await why(`${node} get core/persistentvolumes other`), unrelated);
  t.equal(await why(`${node} list core/secrets default/`), 'No Object name found');
  t.equal(await why(`${node} list core/pods`), 'can only list/watch pods with spec.nodeName field selector');
  t.equal(await why('system:node: get core/nodes a'), 'unknown node for user "system:node:"');
});
