import { X509Certificate } from 'node:crypto';
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { Registry } from 'prom-client';
import t, { type Test } from 'tap';
import { ApiError } from '../../src/api/errors.js';
import { certificateSigningRequests, configMaps, nodes } from '../../src/api/kinds.js';
import { authoritiesAnnotation, clusterInfo, issuerAnnotation } from '../../src/client/clusterinfo.js';
import { createRestClient } from '../../src/client/rest.js';
import { silentLogger } from '../../src/host/log.js';
import { certificateHash, coversNames, isIssuedBy } from '../../src/host/pem.js';
import { alternativeNames, createKey, importKey, signingAlgorithm, x509 } from '../../src/host/x509.js';
import { startTestApiServer } from '../../src/testing/apiserver.js';
import { createFakeClock, settled } from '../../src/testing/clock.js';
import { createFakeClient, type FakeClient } from '../../src/testing/fakeclient.js';
import { type AgentCredentials, type JoinOptions, joinCluster } from './bootstrap.js';
import { createCertificateFigures } from './bootstrap-figures.js';
import { createRenewal } from './bootstrap-renewal.js';
import { createTrust } from './bootstrap-trust.js';
import { createExpiryWarning } from './expirywarning.js';

const dayMs = 86_400_000;

/** A small authority of the test's own: the agent must not know the master's. */
async function createTestAuthority() {
  const keys = await importKey(await createKey());
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=test authority',
      notBefore: new Date(Date.now() - dayMs),
      notAfter: new Date(Date.now() + 1000 * dayMs),
      keys,
      signingAlgorithm,
      extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
    },
    crypto,
  );
  const ca = certificate.toString('pem');
  const sign = async (
    subject: string,
    publicKey: x509.PublicKeyType,
    extensions: x509.Extension[],
    now = new Date(),
  ) =>
    (
      await x509.X509CertificateGenerator.create(
        {
          subject,
          issuer: certificate.subject,
          notBefore: new Date(now.getTime() - 60_000),
          notAfter: new Date(now.getTime() + 100 * dayMs),
          publicKey,
          signingKey: keys.privateKey,
          signingAlgorithm,
          extensions,
        },
        crypto,
      )
    ).toString('pem');
  const key = await createKey();
  const { publicKey } = await importKey(key);
  const leaf = await sign('CN=server', publicKey, [alternativeNames(['localhost'], ['127.0.0.1'])]);
  return { ca, sign, server: { cert: `${leaf}\n${ca}`, key } };
}

type TestAuthority = Awaited<ReturnType<typeof createTestAuthority>>;

/** Answers the requests of a fake API server, as the certificates controller does. */
async function signAll(client: FakeClient, authority: TestAuthority, now = () => new Date()): Promise<void> {
  const list = await client.list(certificateSigningRequests);
  for (const csr of list.items) {
    if (csr.status?.certificate) continue;
    const request = new x509.Pkcs10CertificateRequest(Buffer.from(csr.spec.request, 'base64').toString());
    const names = request.extensions.filter(
      (extension) => extension instanceof x509.SubjectAlternativeNameExtension,
    );
    const cert = await authority.sign(request.subject, await request.publicKey.export(crypto), names, now());
    const status = { certificate: Buffer.from(cert).toString('base64') };
    await client.update(certificateSigningRequests, { ...csr, status }, { subresource: 'status' });
  }
}

async function setUp(t: Test) {
  const authority = await createTestAuthority();
  const client = createFakeClient();
  const api = await startTestApiServer(client, authority.server);
  t.teardown(() => api.close());
  const stop = new AbortController();
  const options: JoinOptions = {
    server: api.url,
    token: `wherry.${certificateHash(authority.ca)}.abcdef.0123456789abcdef`,
    nodeName: 'node-1',
    nodeIps: ['192.0.2.1'],
    pkiDir: `${t.testdir()}/pki`,
    signal: stop.signal,
    log: silentLogger,
  };
  return { authority, client, api, options, stop };
}

/** Runs a join and signs until it is through. */
async function joinSigned(
  client: FakeClient,
  authority: TestAuthority,
  options: JoinOptions,
): Promise<AgentCredentials> {
  let done = false;
  const joining = joinCluster(options).finally(() => {
    done = true;
  });
  while (!done) {
    await signAll(client, authority);
    await settled();
  }
  return joining;
}

t.test('a join yields certificates; a restart needs neither token nor master', async (t) => {
  const { authority, client, api, options } = await setUp(t);
  const credentials = await joinSigned(client, authority, options);
  t.equal(credentials.ca.trim(), authority.ca.trim());
  t.equal(new X509Certificate(credentials.client.cert).subject, 'O=system:nodes\nCN=system:node:node-1');
  t.ok(coversNames(credentials.serving.cert, ['node-1'], ['192.0.2.1']));
  const requests = (await client.list(certificateSigningRequests)).items;
  t.same(requests.map(({ spec }) => `${spec.signerName} ${spec.usages?.join('+')}`).sort(), [
    'kubernetes.io/kube-apiserver-client-kubelet digital signature+client auth',
    'kubernetes.io/kubelet-serving digital signature+server auth',
  ]);
  t.same((await readdir(options.pkiDir)).sort(), ['ca.crt', 'client.pem', 'serving.pem']);
  for (const name of ['client.pem', 'serving.pem'])
    t.equal((await stat(`${options.pkiDir}/${name}`)).mode & 0o777, 0o600);

  await api.close();
  t.same(await joinCluster({ ...options, token: undefined }), credentials);
});

t.test('only what is missing or wrong is asked for again', async (t) => {
  const { authority, client, options } = await setUp(t);
  const first = await joinSigned(client, authority, options);
  const moved = await joinSigned(client, authority, { ...options, token: undefined, nodeIps: ['192.0.2.7'] });
  t.equal(moved.client.cert, first.client.cert);
  t.ok(coversNames(moved.serving.cert, ['node-1'], ['192.0.2.7']));
  await writeFile(`${options.pkiDir}/client.pem`, 'torn');
  await t.rejects(joinCluster({ ...options, token: undefined }), /join token is needed/);
  await rm(`${options.pkiDir}/client.pem`);
  const renamed = await joinSigned(client, authority, { ...options, nodeName: 'node-2' });
  t.match(new X509Certificate(renamed.client.cert).subject, /system:node:node-2/);
});

t.test('nothing is sent to a server that the token does not pin', async (t) => {
  const { api, options } = await setUp(t);
  const token = `wherry.${'0'.repeat(64)}.abcdef.0123456789abcdef`;
  await t.rejects(joinCluster({ ...options, token }), /no certificate with the hash/);
  t.same(api.requests, []);
  t.same(await readdir(options.pkiDir), []);
  await t.rejects(joinCluster({ ...options, token: undefined }), /join token is needed/);
});

t.test('a host of one cluster does not join another by accident', async (t) => {
  const { authority, client, options } = await setUp(t);
  await joinSigned(client, authority, options);
  const token = `wherry.${'0'.repeat(64)}.abcdef.0123456789abcdef`;
  await t.rejects(joinCluster({ ...options, token }), /belongs to another cluster/);
});

t.test('a restart while waiting goes on with the same request', async (t) => {
  const { authority, client, options } = await setUp(t);
  const stop = new AbortController();
  const interrupted = joinCluster({ ...options, signal: stop.signal });
  const count = async () => (await client.list(certificateSigningRequests)).items.length;
  while ((await count()) === 0) await settled();
  stop.abort();
  await t.rejects(interrupted);
  t.ok((await readdir(options.pkiDir)).includes('client.pending.key'));
  await joinSigned(client, authority, options);
  t.equal(await count(), 2, 'one request per certificate');
});

t.test('a refused request and a bad token end the join; a missing master does not', async (t) => {
  const { authority, client, options } = await setUp(t);
  client.failNext(({ verb }) => verb === 'create', new ApiError('Unauthorized', 'Unauthorized'));
  await t.rejects(joinCluster(options), /make a new one/);

  const refused = joinCluster(options);
  const present = async () => (await client.list(certificateSigningRequests)).items[0];
  while (!(await present())) await settled();
  const csr = await present();
  if (!csr) throw new Error('the request is there');
  const conditions = [{ type: 'Denied', status: 'True', message: 'not you' }];
  await client.update(
    certificateSigningRequests,
    { ...csr, status: { conditions } },
    { subresource: 'status' },
  );
  await t.rejects(refused, /refused \(Denied\): not you/);

  const clock = createFakeClock(new Date().toISOString());
  client.failNext(({ verb }) => verb === 'create', new ApiError('ServiceUnavailable', 'no'), 2);
  const joining = joinSigned(client, authority, { ...options, clock });
  for (let slept = 0; slept < 2; ) {
    if (clock.pending > 0) {
      slept += 1;
      await clock.advance(15_000);
    } else await settled();
  }
  t.ok((await joining).serving);
});

t.test('certificates are renewed in place before they expire', async (t) => {
  const { authority, client, options } = await setUp(t);
  const credentials = await joinSigned(client, authority, options);
  const before = { ...credentials };
  const clock = createFakeClock(new Date().toISOString());
  const rest = createRestClient({
    server: options.server,
    ca: credentials.ca,
    credentials: () => ({ ca: credentials.ca, ...credentials.client }),
  });
  const renewed: string[] = [];
  /** Live, as the composition root hands it in. */
  const nodeIps = [...options.nodeIps];
  const renewal = createRenewal({
    credentials,
    identity: { nodeName: options.nodeName, nodeIps },
    pkiDir: options.pkiDir,
    server: options.server,
    token: undefined,
    client: rest,
    onRenewed: (name) => renewed.push(name),
    clock,
    log: silentLogger,
    random: () => 0.5,
  });
  await renewal.start(new AbortController().signal);
  await clock.advance(79 * dayMs);
  t.same(renewed, []);
  t.ok(clock.pending > 0);
  await clock.advance(dayMs + 3_600_000);
  while (renewed.length < 2) {
    await signAll(client, authority, () => clock.now());
    await settled();
  }
  t.not(credentials.client.cert, before.client.cert);
  t.not(credentials.client.key, before.client.key);
  t.not(credentials.serving.cert, before.serving.cert);
  t.same(await joinCluster({ ...options, token: undefined, clock }), credentials, 'also on disk');

  nodeIps.splice(0, 1, '192.0.2.77');
  renewal.enqueue('serving');
  while (renewed.length < 3) {
    await signAll(client, authority, () => clock.now());
    await settled();
  }
  t.ok(coversNames(credentials.serving.cert, [options.nodeName], nodeIps), 'names the new address');
  await renewal.stop();
  await rest.close();
});

t.test('another authority: trusted, told to the master, and asked for certificates', async (t) => {
  const { authority, client, options } = await setUp(t);
  const credentials = await joinSigned(client, authority, options);
  const next = await createTestAuthority();
  client.seed(nodes, { metadata: { name: options.nodeName } });
  const clock = createFakeClock(new Date().toISOString());
  let changes = 0;
  const trust = createTrust({
    ...{ credentials, nodeName: options.nodeName, pkiDir: options.pkiDir },
    ...{ client, clock, log: silentLogger },
    onChange: () => {
      changes += 1;
    },
  });
  await trust.start(new AbortController().signal);
  t.teardown(() => trust.stop());
  const annotations = async () =>
    (await client.get(nodes, { name: options.nodeName })).metadata.annotations ?? {};
  const [first, second] = [certificateHash(authority.ca), certificateHash(next.ca)];
  while ((await annotations())[issuerAnnotation] !== first) await settled();

  const bundle = `${next.ca}\n${authority.ca}\n`;
  client.seed(configMaps, { metadata: { ...clusterInfo }, data: { [clusterInfo.authorities]: bundle } });
  while ((await annotations())[authoritiesAnnotation] !== `${second},${first}`) await settled();
  t.equal(changes, 1);
  t.match(credentials.ca, next.ca);

  const renewal = createRenewal({
    ...{ credentials, pkiDir: options.pkiDir, server: options.server, token: undefined },
    identity: { nodeName: options.nodeName, nodeIps: options.nodeIps },
    ...{ client, clock, log: silentLogger },
    onRenewed: () => trust.enqueue('node'),
  });
  await renewal.start(new AbortController().signal);
  t.teardown(() => renewal.stop());
  while ((await annotations())[issuerAnnotation] !== second) {
    await signAll(client, next);
    await settled();
  }
  const onlyNext = { metadata: { ...clusterInfo }, data: { [clusterInfo.authorities]: `${next.ca}\n` } };
  await client.update(configMaps, onlyNext);
  while ((await annotations())[authoritiesAnnotation] !== second) await settled();
  t.same(
    await joinCluster(options),
    { ...credentials, servingCa: undefined },
    'the token of long ago is still that of this cluster',
  );
});

t.test('an authority for serving certificates: followed, and trusted for nothing', async (t) => {
  const { authority, client, options } = await setUp(t);
  const credentials = await joinSigned(client, authority, options);
  const before = { ...credentials };
  const servingAuthority = await createTestAuthority();
  client.seed(nodes, { metadata: { name: options.nodeName } });
  const data = {
    [clusterInfo.authorities]: `${authority.ca}\n`,
    [clusterInfo.servingAuthorities]: `${servingAuthority.ca}\n`,
  };
  client.seed(configMaps, { metadata: { ...clusterInfo }, data });
  const common = { credentials, pkiDir: options.pkiDir, client, log: silentLogger };
  const clock = createFakeClock(new Date().toISOString());
  const { signal } = new AbortController();
  const renewed: string[] = [];
  const renewal = createRenewal({
    ...{ ...common, clock, server: options.server, token: undefined },
    identity: { nodeName: options.nodeName, nodeIps: options.nodeIps },
    onRenewed(name) {
      renewed.push(name);
      trust.enqueue('node');
    },
  });
  const trust = createTrust({
    ...{ ...common, clock, nodeName: options.nodeName },
    onChange: () => renewal.enqueue('serving'),
  });
  for (const part of [renewal, trust]) {
    await part.start(signal);
    t.teardown(() => part.stop());
  }
  const annotations = async () =>
    (await client.get(nodes, { name: options.nodeName })).metadata.annotations ?? {};
  while ((await annotations())[issuerAnnotation] === undefined) await settled();
  t.equal((await annotations())[issuerAnnotation], '', 'the serving certificate is not of the right one yet');
  const requested = async () => (await client.list(certificateSigningRequests)).items.length;
  while ((await requested()) < 3) await settled();
  await signAll(client, servingAuthority);
  while (!(await annotations())[issuerAnnotation]) await settled();
  t.same(renewed, ['serving']);
  t.equal((await annotations())[issuerAnnotation], certificateHash(authority.ca));
  t.equal((await annotations())[authoritiesAnnotation], certificateHash(authority.ca));
  t.equal(credentials.ca, before.ca);
  t.ok(isIssuedBy(credentials.serving.cert, servingAuthority.ca));
  t.same(
    await joinCluster({ ...options, token: undefined }),
    { ...credentials, servingCa: undefined },
    'a restart asks for nothing',
  );
});

t.test('expired while the master was away: with the token, or with words what to do', async (t) => {
  const { authority, client, options } = await setUp(t);
  const credentials = await joinSigned(client, authority, options);
  const clock = createFakeClock(new Date(Date.now() + 101 * dayMs).toISOString());
  await t.rejects(
    joinCluster({ ...options, token: undefined, clock }),
    /expired on 20.* a join token is needed \(wherry token create\)/,
  );
  const old = credentials.client.cert;
  const failed: string[] = [];
  const client401 = { ...client, create: () => Promise.reject(new ApiError('Unauthorized', 'expired')) };
  const renewal = createRenewal({
    ...{ credentials, pkiDir: options.pkiDir, server: options.server, token: options.token },
    identity: { nodeName: options.nodeName, nodeIps: options.nodeIps },
    ...{ client: client401, clock, log: silentLogger },
    onRenewed: () => undefined,
    onFailed: (name) => failed.push(name),
  });
  await renewal.start(new AbortController().signal);
  t.teardown(() => renewal.stop());
  while (credentials.client.cert === old || failed.length === 0) {
    await signAll(client, authority, () => clock.now());
    await settled();
  }
  t.same(failed, ['serving'], 'which needs the other one first');
});

t.test('figures and warnings', async (t) => {
  const { authority, client, options } = await setUp(t);
  const credentials = await joinSigned(client, authority, options);
  const clock = createFakeClock(new Date().toISOString());
  const figures = createCertificateFigures(credentials, clock);
  figures.failed('serving');
  figures.renewed('serving');
  const registry = new Registry();
  figures.register(registry);
  const text = await registry.metrics();
  t.match(text, /^kubelet_server_expiration_renew_errors 1$/m);
  t.match(text, /^kubelet_certificate_manager_client_ttl_seconds 86\d{5}/m);
  t.match(text, /^kubelet_certificate_manager_server_rotation_seconds_count 1$/m);
  const told: string[] = [];
  for (const days of [0, 95]) {
    const then = createFakeClock(new Date(Date.now() + days * dayMs).toISOString());
    const warning = createExpiryWarning({
      ...{ credentials, nodeName: options.nodeName, clock: then },
      recorder: { event: (_object, type, reason, message) => void told.push(`${type} ${reason} ${message}`) },
    });
    await warning.start(new AbortController().signal);
    await then.advance(1_900_000);
    t.equal(told.length, days === 0 ? 0 : 2);
    await warning.stop();
  }
  t.match(told[0], /^Warning CertificateExpiring the client certificate of the agent will expire on /);
});
