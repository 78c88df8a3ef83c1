/** Tokens of Secrets and bootstrap tokens over the real registry: filled in, used, ended. */
import t from 'tap';
import { namespaces, secrets, serviceAccounts } from '../../src/api/kinds.js';
import { createInformers } from '../../src/client/informers.js';
import { parseJoinToken } from '../../src/client/jointoken.js';
import { silentLogger } from '../../src/host/log.js';
import { createKey } from '../../src/host/x509.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createAuthenticator } from '../auth/authn/authenticator.js';
import { createTokenIssuer } from '../auth/authn/issuer.js';
import { keySetOf, readSigningKey } from '../auth/authn/keys.js';
import { createAuthority } from '../auth/ca.js';
import { createBootstrapToken } from '../auth/token.js';
import { createRegistryClient } from '../registry/client.js';
import { createTestRegistry } from '../registry/testing.js';
import { createTokenCleaner } from './tokencleaner.js';
import { accountAnnotation, createTokenSecretsController } from './tokensecrets.js';

const ca = { pem: 'PEM 1', listener: (): void => undefined };
const clock = createFakeClock('2026-03-01T12:00:00Z');
const { registry } = await createTestRegistry({ clock });
const client = createRegistryClient(registry, { name: 'test', groups: ['system:masters'] });
const keys = keySetOf(readSigningKey(await createKey()), []);
const issuer = createTokenIssuer({ keys: () => keys, address: 'api.example:6443', clock });
const authenticator = createAuthenticator({ adminToken: 'root', client, clock, issuer });
const informers = createInformers({ client, clock, log: silentLogger });
const context = {
  ...{ client, clock, log: silentLogger, informers },
  recorder: () => {
    throw new Error('nobody records');
  },
};
const controllers = [
  createTokenSecretsController(context, {
    issueToken: issuer.issueLegacy,
    caPem: () => ca.pem,
    onCaChange: (listener) => {
      ca.listener = listener;
      return () => undefined;
    },
  }),
  createTokenCleaner(context),
];

const namespace = 'default';
const ref = { namespace, name: 'robot-token' };
const wanted = {
  type: 'kubernetes.io/service-account-token',
  metadata: { ...ref, annotations: { [accountAnnotation]: 'robot' } },
};
const isGone = async (): Promise<boolean> => !(await exists('robot-token'));
const text = (value = ''): string => Buffer.from(value, 'base64').toString();
const who = async (bearerToken: string) =>
  authenticator.authenticate({ bearerToken, certificate: undefined });
const exists = async (name: string, ns = namespace): Promise<boolean> =>
  (await client.list(secrets, { namespace: ns })).items.some(({ metadata }) => metadata.name === name);

/** Lets the controllers work until it is so; signing takes turns of its own. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await clock.advance(1);
}

const tokenOf = async (name: string): Promise<string> =>
  text((await client.get(secrets, { namespace, name })).data?.['token']);
const hasToken = (name: string) => async (): Promise<boolean> => (await tokenOf(name)) !== '';

t.before(async () => {
  const { signal } = new AbortController();
  await informers.start(signal);
  for (const controller of controllers) await controller.start(signal);
});
t.teardown(async () => {
  for (const controller of controllers) await controller.stop();
  await informers.stop();
  await registry.stop();
});

t.test('the token of a Secret', async (t) => {
  const robot = await client.create(serviceAccounts, { metadata: { namespace, name: 'robot' } });
  await client.create(secrets, wanted);
  await until(hasToken('robot-token'));
  const filled = await client.get(secrets, ref);
  t.equal(text(filled.data?.['ca.crt']), 'PEM 1');
  t.equal(text(filled.data?.['namespace']), namespace);
  t.equal(filled.metadata.annotations?.['kubernetes.io/service-account.uid'], robot.metadata.uid);
  const token = text(filled.data?.['token']);
  const user = {
    name: 'system:serviceaccount:default:robot',
    uid: robot.metadata.uid,
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
  };
  t.strictSame(await who(token), user);
  const used = async () =>
    (await client.get(secrets, ref)).metadata.labels?.['kubernetes.io/legacy-token-last-used'];
  await until(async () => (await used()) !== undefined);
  t.equal(await used(), '2026-03-01');
  const { resourceVersion } = (await client.get(secrets, ref)).metadata;
  await who(token);
  await clock.advance(1000);
  t.equal((await client.get(secrets, ref)).metadata.resourceVersion, resourceVersion, 'noted once a day');
  t.strictSame(await authenticator.authenticateToken(token, ['vault']), undefined);
  await clock.advance(24 * 3_600_000);
  t.ok(await who(token), 'it does not expire');
  await until(async () => (await used()) !== '2026-03-01');
  t.equal(await used(), '2026-03-02');

  ca.pem = 'PEM 2';
  ca.listener();
  await until(async () => text((await client.get(secrets, ref)).data?.['ca.crt']) === 'PEM 2');
  const renewed = await client.get(secrets, ref);
  t.equal(text(renewed.data?.['ca.crt']), 'PEM 2');
  t.equal(text(renewed.data?.['token']), token);

  await client.update(secrets, { ...renewed, data: { ...renewed.data, token: '' } });
  await until(hasToken('robot-token'));
  const again = await tokenOf('robot-token');
  t.ok(again);
  t.equal(await who(`${again.slice(0, -4)}AAAA`), undefined, 'forged');
  const label = { metadata: { labels: { 'kubernetes.io/legacy-token-invalid-since': '2026-03-02' } } };
  await client.patch(secrets, ref, { type: 'merge', body: label });
  t.equal(await who(again), undefined, 'marked as invalid');
  await client.patch(secrets, ref, {
    type: 'merge',
    body: { metadata: { labels: { 'kubernetes.io/legacy-token-invalid-since': null } } },
  });
  t.ok(await who(again));
  const other = { ...wanted, metadata: { ...wanted.metadata, name: 'second' } };
  await client.create(secrets, other);
  await until(hasToken('second'));
  const second = await tokenOf('second');
  await client.delete(secrets, { namespace, name: 'second' });
  t.equal(await who(second), undefined, 'gone with its Secret');
  await client.create(secrets, other);
  await until(hasToken('second'));
  const account = { namespace, name: 'robot' };
  await client.update(serviceAccounts, {
    ...(await client.get(serviceAccounts, account)),
    secrets: [{ name: 'second' }, { name: 'robot-token' }],
  });
  await client.delete(secrets, { namespace, name: 'second' });
  const named = async () => (await client.get(serviceAccounts, account)).secrets;
  await until(async () => (await named())?.length === 1);
  t.same(await named(), [{ name: 'robot-token' }], 'its account names it no longer');

  await client.delete(serviceAccounts, { namespace, name: 'robot' });
  t.equal(await who(again), undefined, 'at once');
  await until(isGone);
  t.notOk(await exists('robot-token'), 'the Secret goes with its account');
});

t.test('a Secret for an account that is not there, or is another one', async (t) => {
  await client.create(secrets, wanted);
  await until(isGone);
  t.notOk(await exists('robot-token'));
  await client.create(serviceAccounts, { metadata: { namespace, name: 'robot' } });
  const annotations = { ...wanted.metadata.annotations, 'kubernetes.io/service-account.uid': 'former' };
  await client.create(secrets, { ...wanted, metadata: { ...wanted.metadata, annotations } });
  await until(isGone);
  t.notOk(await exists('robot-token'));
});

t.test('bootstrap tokens are removed when they expire', async (t) => {
  await client.create(namespaces, { metadata: { name: 'kube-system' } });
  const pem = (await createAuthority(clock.now())).pair.cert;
  const made = async (ttlMs: number): Promise<string> =>
    parseJoinToken(await createBootstrapToken(client, { ca: pem, ttlMs, clock })).id;
  const [short, long, eternal] = [await made(60_000), await made(3 * 3_600_000), await made(0)];
  const left = async (): Promise<string[]> => {
    const { items } = await client.list(secrets, { namespace: 'kube-system' });
    return items.map(({ metadata }) => metadata.name?.slice('bootstrap-token-'.length) ?? '').sort();
  };
  await clock.advance(1000);
  t.same(await left(), [short, long, eternal].sort());
  await clock.advance(60_000);
  await until(async () => (await left()).length === 2);
  t.same(await left(), [long, eternal].sort());
  await clock.advance(3 * 3_600_000);
  await until(async () => (await left()).length === 1);
  t.same(await left(), [eternal]);
});
