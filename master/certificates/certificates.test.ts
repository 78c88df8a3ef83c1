/** The master's certificates: names, short lives, another authority step by step, and what is due to be looked at. */

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readdir, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { events } from '../../src/api/kinds.js';
import type { Node } from '../../src/api/types.js';
import { authoritiesAnnotation, issuerAnnotation } from '../../src/client/clusterinfo.js';
import { createInformers } from '../../src/client/informers.js';
import { authorityServerName } from '../../src/client/jointoken.js';
import { expiryWarning } from '../../src/host/expiry.js';
import { silentLogger } from '../../src/host/log.js';
import {
  certificateHash,
  commonNameOf,
  coversNames,
  isIssuedBy,
  lifetimePassed,
  pemBlocks,
} from '../../src/host/pem.js';
import { createKey, createRequest, type KeyPair } from '../../src/host/x509.js';
import { createFakeClock, settled } from '../../src/testing/clock.js';
import { createFakeClient } from '../../src/testing/fakeclient.js';
import { announce, dropOld, replace } from '../auth/authorities.js';
import { authorityPlaces } from '../auth/pki.js';
import { identityProblem } from '../http/agentidentity.js';
import { listCertificates } from './list.js';
import { openPki } from './live.js';
import { servingNames } from './names.js';
import { certificateOptions } from './options.js';
import { createRenewal } from './renewal.js';
import { planRotation, type RotationFacts, wantedRequest } from './requests.js';
import { createUpkeep, expirationFigures } from './upkeep.js';

const options = {
  bindAddress: '0.0.0.0',
  advertiseAddress: '192.0.2.1',
  clusterCidr: '10.244.0.0/16',
  serviceCidr: '10.96.0.0/12',
};
const hostOf = (...addresses: string[]) => ({
  name: 'master',
  interfaces: { eth0: addresses.map((address) => ({ address, internal: address.startsWith('127.') })) },
});

t.test('flags', async (t) => {
  const year = 365 * 86_400_000;
  t.match(certificateOptions({}), { lifetimeMs: year, signingDurationMs: year });
  t.match(certificateOptions({ certificateLifetime: '2m' }), { signingDurationMs: 120_000 });
  t.same(certificateOptions({ tlsSan: 'API.example, 192.0.2.9,2001:db8::1' }).tlsSans, {
    dnsNames: ['api.example'],
    ips: ['192.0.2.9', '2001:db8::1'],
  });
  t.throws(() => certificateOptions({ tlsSan: 'a_b' }), /--tls-san: "a_b" is neither/);
  t.throws(() => certificateOptions({ certificateLifetime: '10s' }), /too short/);
});

t.test('the addresses of the host by which somebody may come', async (t) => {
  const certificates = certificateOptions({ tlsSan: 'api.example' });
  const host = hostOf('127.0.0.1', '192.0.2.1', '198.51.100.7', '10.244.0.1', '169.254.1.1', 'fe80::1');
  const names = servingNames({ ...options, certificates }, { address: '192.0.2.1' }, host);
  t.same(names, { dnsNames: ['master', 'api.example'], ips: ['192.0.2.1', '10.96.0.1', '198.51.100.7'] });
  const one = servingNames(
    { ...options, bindAddress: '127.0.0.1', certificates },
    { address: '127.0.0.1' },
    host,
  );
  t.same(one.ips, ['127.0.0.1', '10.96.0.1']);
});

async function setUp(t: Test, flags: Record<string, string> = {}) {
  const clock = createFakeClock(new Date().toISOString());
  const host = { present: hostOf('192.0.2.1') };
  const directory = `${t.testdir()}/master`;
  const certificates = await openPki({
    directory,
    options: { ...options, certificates: certificateOptions(flags) },
    api: { address: '192.0.2.1', port: 6443, serviceCidr: options.serviceCidr },
    ...{ clock, log: silentLogger, host: () => host.present },
  });
  return { clock, host, directory, certificates, pki: certificates.pki };
}

t.test('renewed in place: near the end, and for a new address; everybody is told', async (t) => {
  const { clock, host, certificates, pki } = await setUp(t, { certificateLifetime: '2m' });
  const { serving, admin, ca } = pki;
  t.ok(lifetimePassed(serving.cert, clock.now()) < 0.3);
  let told = 0;
  certificates.onChange(() => {
    told += 1;
  });
  const renewal = createRenewal({ certificates, clock, log: silentLogger });
  await renewal.look();
  t.equal(told, 0);
  host.present = hostOf('192.0.2.1', '198.51.100.7');
  await renewal.look();
  t.ok(coversNames(pki.serving.cert, ['master'], ['198.51.100.7', '192.0.2.1']));
  t.equal(pki.admin.cert, admin.cert);
  await renewal.start(new AbortController().signal);
  await clock.advance(80_000);
  while (pki.admin.cert === admin.cert) await renewal.look();
  t.equal(pki.ca, ca);
  t.ok(told >= 2);
  await renewal.stop();
});

t.test('a file that cannot be read is reported, and does not end it', async (t) => {
  const { clock, directory, certificates, pki } = await setUp(t);
  await writeFile(`${directory}/pki/admin.key`, 'torn', { mode: 0o600 });
  const seen: unknown[] = [];
  const before = pki.admin.cert;
  const renewal = createRenewal({
    ...{ certificates, clock, log: silentLogger },
    onLook: (error) => seen.push(error),
  });
  await renewal.look();
  t.ok(seen[0] instanceof Error);
  await rm(`${directory}/pki/admin.key`);
  await renewal.look();
  t.equal(seen[1], undefined);
  t.not(pki.admin.cert, before);
});

/** Whether a client that trusts `ca` believes a server with these. */
async function believes(t: Test, shown: KeyPair, ca: string): Promise<boolean> {
  const server = createServer({ ...shown });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const socket: TLSSocket = connect({ host: '127.0.0.1', port, ca, servername: 'kubernetes' });
  try {
    await once(socket, 'secureConnect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

t.test('one authority follows another, and nobody is left behind', async (t) => {
  const { clock, directory, certificates, pki } = await setUp(t);
  const first = pki.ca;
  const place = authorityPlaces(directory).ca;
  await announce(place, clock.now());
  await certificates.look();
  t.equal(pki.authorities.ca.phase, 'announced');
  t.equal(pemBlocks(pki.ca, 'CERTIFICATE').length, 2);
  t.equal(pki.authority.pair.cert, first, 'the old one signs');

  await replace(place);
  await certificates.look();
  const [second = '', old = ''] = pemBlocks(pki.ca, 'CERTIFICATE');
  t.equal(pki.authorities.ca.phase, 'replaced');
  t.equal(old, first);
  t.ok(await believes(t, pki.serving, first), 'who knows the old one only');
  t.ok(await believes(t, pki.serving, second), 'who knows the new one only');
  const ofToken = (authority: string) =>
    pki.servingByAuthority.get(authorityServerName(certificateHash(authority)))?.cert ?? '';
  t.ok(ofToken(first).endsWith(first), 'a token of before finds its authority');
  t.ok(ofToken(second).endsWith(second));

  await dropOld(place);
  await certificates.look();
  t.equal(pki.ca, second);
  t.ok(await believes(t, pki.serving, first));
  t.notOk((await readdir(`${directory}/pki`)).some((name) => /next|old/.test(name)));
});

t.test("agents' certificates follow with their own authority", async (t) => {
  const { clock, directory, certificates, pki } = await setUp(t);
  const places = Object.values(authorityPlaces(directory));
  const isTaken = (cert: string): boolean => {
    const { validFrom, raw } = new X509Certificate(cert);
    const peer = { subject: { CN: commonNameOf(cert) }, raw, valid_from: validFrom };
    const ca = pki.authorities.kubeletServing.trusted.join('');
    return identityProblem(peer, 'n1', { ca, formerCa: pki.ca }) === undefined;
  };
  const issue = async (): Promise<string> => {
    const { signing } = pki.authorities.kubeletServing;
    const names = {
      commonName: 'system:node:n1',
      organizations: ['system:nodes'],
      dnsNames: ['n1'],
      ips: [],
    };
    const request = await createRequest(await createKey(), names);
    return signing.signRequest(request, { purpose: 'server', lifetimeMs: 3_600_000 }, clock.now());
  };
  const old = await issue();
  await clock.advance(3_600_000);
  for (const place of places) await announce(place, clock.now());
  await certificates.look();
  const during = await issue();
  t.ok(isTaken(old) && isTaken(during));

  // Died between two of them: the cluster's comes last, so the step is done again.
  for (const place of places.slice(0, -1)) await replace(place);
  await certificates.look();
  t.equal(pki.authorities.ca.phase, 'announced');
  for (const place of places) await replace(place);
  let told = 0;
  certificates.onChange(() => {
    told += 1;
  });
  await certificates.look();
  t.equal(told, 1);
  t.same(
    Object.values(pki.authorities).map(({ phase }) => phase),
    ['replaced', 'replaced', 'replaced'],
  );
  const next = await issue();
  t.ok(isTaken(during) && isTaken(next));
  for (const place of places) await dropOld(place);
  await certificates.look();
  t.ok(isTaken(next));
  const [{ trusted }, { trusted: ofCluster }] = [pki.authorities.kubeletServing, pki.authorities.ca];
  t.equal(trusted.length, 1);
  t.notOk(
    [...trusted, ...ofCluster].some((authority) => isIssuedBy(during, authority)),
    'nobody vouches for it',
  );
});

t.test('a replacement that died half-way is finished', async (t) => {
  const { clock, directory, certificates, pki } = await setUp(t);
  const first = pki.ca;
  await announce(authorityPlaces(directory).ca, clock.now());
  await writeFile(`${directory}/pki/ca-old.crt`, first, { mode: 0o600 });
  await certificates.look();
  t.equal(pki.authorities.ca.phase, 'replaced');
  t.not(pki.authority.pair.cert, first);
});

t.test('when a rotation goes on', async (t) => {
  const node = (name: string, trusted: string, issuer: string): Node => ({
    metadata: { name, annotations: { [authoritiesAnnotation]: trusted, [issuerAnnotation]: issuer } },
  });
  const now = new Date();
  const facts = (more: Partial<RotationFacts>): RotationFacts => ({
    phase: 'steady',
    request: { id: '1', words: [] },
    handled: { ids: {}, phaseSince: new Date(now.getTime() - 200_000).toISOString() },
    nodes: [node('a', 'old,new', 'old')],
    signing: 'old',
    next: 'new',
    now,
    ...more,
  });
  t.equal(planRotation(facts({})).do, 'announce');
  t.equal(planRotation(facts({ handled: { ids: { 'rotate-ca': '1' } } })).do, 'nothing');
  t.equal(planRotation(facts({ phase: 'announced' })).do, 'replace');
  t.same(planRotation(facts({ phase: 'announced', nodes: [{ metadata: { name: 'b' } }] })), {
    do: 'wait',
    for: ['node b'],
  });
  const late = [node('a', 'new,old', 'old')];
  const replaced = { phase: 'replaced', signing: 'new', nodes: late } as const;
  t.equal(planRotation(facts(replaced)).do, 'wait');
  t.equal(planRotation(facts({ ...replaced, request: { id: '1', words: ['force'] } })).do, 'drop');
  t.equal(planRotation(facts({ ...replaced, nodes: [node('a', 'new,old', 'new')] })).do, 'drop');
  const keeping = { ...replaced, nodes: [], request: { id: '1', words: ['keep-old'] } };
  t.equal(planRotation(facts(keeping)).do, 'wait');
  const young = { ids: {}, phaseSince: now.toISOString() };
  t.match(planRotation(facts({ phase: 'announced', handled: young })), { for: [/^120 s/] });
  t.same(wantedRequest({ metadata: {}, data: { renew: '7 admin,server' } }, 'renew'), {
    id: '7',
    words: ['admin,server'],
  });
});

t.test('what is listed, and what is warned of', async (t) => {
  const { clock, directory, pki } = await setUp(t);
  const listed = await listCertificates(directory.replace(/\/master$/, ''), clock.now());
  t.equal(listed.length, 7);
  t.match(
    listed.find(({ path }) => path.endsWith('server.crt')),
    { issuer: 'CN=wherry', state: 'ok', daysLeft: 364, names: /^localhost,.*,192\.0\.2\.1/ },
  );
  t.same(await listCertificates('/nowhere', clock.now()), []);
  const certificate = pki.serving.cert;
  t.equal(expiryWarning('it', certificate, clock.now()), undefined);
  const after = (days: number) => new Date(clock.now().getTime() + days * 86_400_000);
  t.equal(expiryWarning('it', certificate, after(330)), undefined);
  t.match(expiryWarning('it', certificate, after(336)), /^it will expire on 20/);
  t.match(expiryWarning('it', certificate, after(366)), /^it has expired on 20/);
});

t.test('a warning for everybody to see', async (t) => {
  const { clock, certificates } = await setUp(t);
  const client = createFakeClient({ clock });
  const informers = createInformers({ client, clock, log: silentLogger });
  await clock.advance(336 * 86_400_000);
  const upkeep = createUpkeep({ certificates, client, informers, clock, log: silentLogger });
  const { signal } = new AbortController();
  for (const part of [informers, upkeep]) await part.start(signal);
  t.teardown(async () => {
    for (const part of [upkeep, informers]) await part.stop();
  });
  const told = async () => (await client.list(events)).items;
  while ((await told()).length < 4) await settled();
  t.match((await told())[0], {
    type: 'Warning',
    reason: 'CertificateExpiring',
    involvedObject: { kind: 'Namespace', name: 'kube-system' },
    message: /^the certificate server of the master will expire on/,
  });
  for (const name of ['ca', 'kubelet-serving-ca', 'server'])
    t.match(
      expirationFigures(certificates.pki),
      new RegExp(`^wherry_certificate_expiration_seconds\\{name="${name}"\\} \\d+$`, 'm'),
    );
});
