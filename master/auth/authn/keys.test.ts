/** Keys of service account tokens: kinds, rotation, what is published, and tokens that are not what they say. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmod, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import t, { type Test } from 'tap';
import { silentLogger } from '../../../src/host/log.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import { createTokenIssuer, defaultIssuer, type TokenIssuer } from './issuer.js';
import { createKeyFiles, type KeyFiles } from './keyfiles.js';
import { keySetOf, readSigningKey, readVerificationKeys } from './keys.js';

const clock = createFakeClock('2026-03-01T12:00:00Z');
const serviceAccount = { namespace: 'default', name: 'robot', uid: 'uid-1' };
const subject = { serviceAccount, audiences: [defaultIssuer], expirationSeconds: 3600 };

const pemOf = (key: KeyObject): string =>
  key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }).toString();
const newRsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
const newEc = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve });

const issuerOf = (files: KeyFiles, more: object = {}): TokenIssuer =>
  createTokenIssuer({ keys: () => files.current(), address: 'api.example:6443', clock, ...more });

const published = (issuer: TokenIssuer): { kid: string; alg: string; d?: string }[] =>
  JSON.parse(issuer.documents.get('/openid/v1/jwks')?.().body ?? '{}').keys;

async function keyFilesIn(t: Test, more: object = {}): Promise<{ directory: string; files: KeyFiles }> {
  const directory = t.testdir();
  await writeFile(join(directory, 'sa.key'), pemOf(newEc().privateKey), { mode: 0o600 });
  const files = createKeyFiles({ directory, clock, log: silentLogger, ...more });
  await files.reload();
  return { directory, files };
}

t.test('kinds of keys', async (t) => {
  for (const [pair, alg] of [
    [newRsa(), 'RS256'],
    [newEc(), 'ES256'],
    [newEc('P-384'), 'ES384'],
    [newEc('P-521'), 'ES512'],
  ] as const) {
    const signer = readSigningKey(pemOf(pair.privateKey));
    const issuer = createTokenIssuer({ keys: () => keySetOf(signer, []), address: 'a:1', clock });
    const claims = await issuer.verify(await issuer.issue(subject));
    t.equal(claims?.sub, 'system:serviceaccount:default:robot', alg);
    t.match(published(issuer), [{ alg, kid: signer.kid, use: 'sig' }]);
    t.notOk(published(issuer)[0]?.d, 'the private half stays here');
    t.equal(readVerificationKeys(pemOf(pair.publicKey))[0]?.kid, signer.kid);
  }
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
  t.throws(() => readSigningKey(pemOf(small)), /at least 2048 bits/);
  t.throws(
    () => readSigningKey(pemOf(generateKeyPairSync('ed25519').privateKey)),
    /only RSA keys and EC keys/,
  );
  t.throws(() => readVerificationKeys('nothing'), /no key/);
  t.equal(readVerificationKeys(pemOf(newRsa().publicKey) + pemOf(newEc().publicKey)).length, 2);
});

t.test('a rotation: the old key verifies, the new one signs, a removed one is worth nothing', async (t) => {
  const { directory, files } = await keyFilesIn(t);
  const issuer = issuerOf(files);
  const old = await issuer.issue(subject);
  t.ok(await issuer.verify(old));
  const first = published(issuer);
  await rename(join(directory, 'sa.key'), join(directory, 'sa-old-2026.key'));
  await writeFile(join(directory, 'sa.key'), pemOf(newRsa().privateKey), { mode: 0o600 });
  await files.reload();
  const fresh = await issuer.issue(subject);
  t.ok(await issuer.verify(old));
  t.ok(await issuer.verify(fresh));
  t.match(published(issuer), [{ alg: 'RS256' }, { alg: 'ES256', kid: first[0]?.kid }]);
  t.match(JSON.parse(issuer.documents.get('/.well-known/openid-configuration')?.().body ?? '{}'), {
    id_token_signing_alg_values_supported: ['ES256', 'RS256'],
  });
  await rm(join(directory, 'sa-old-2026.key'));
  await files.reload();
  t.equal(await issuer.verify(old), undefined, 'though it was remembered');
  t.ok(await issuer.verify(fresh));
});

t.test('files are taken up while it runs; a broken one changes nothing', async (t) => {
  const { directory, files } = await keyFilesIn(t);
  await files.start(new AbortController().signal);
  t.teardown(() => files.stop());
  const before = files.current();
  await writeFile(join(directory, 'sa.key'), 'broken', { mode: 0o600 });
  await t.rejects(files.reload(), /sa\.key: /);
  t.equal(files.current(), before);
  await writeFile(join(directory, 'sa.key'), pemOf(newEc().privateKey));
  await chmod(join(directory, 'sa.key'), 0o644);
  await t.rejects(files.reload(), /mode 644/);
  await chmod(join(directory, 'sa.key'), 0o600);
  while (files.current() === before) await clock.advance(10_000);
  t.not(files.current().signer.kid, before.signer.kid);
});

t.test('keys of the operator', async (t) => {
  const elsewhere = t.testdir();
  const [signing, other] = [newRsa(), newEc()];
  const signingKeyFile = join(elsewhere, 'signing.pem');
  const publicFile = join(elsewhere, 'other.pub');
  await writeFile(signingKeyFile, pemOf(signing.privateKey), { mode: 0o600 });
  await writeFile(publicFile, pemOf(other.publicKey));
  const directory = join(elsewhere, 'none');
  const files = createKeyFiles({
    ...{ directory, clock, log: silentLogger, signingKeyFile },
    keyFiles: [publicFile],
  });
  await files.reload();
  t.match(published(issuerOf(files)), [{ alg: 'RS256' }, { alg: 'ES256' }]);
  const missing = createKeyFiles({ directory, clock, log: silentLogger, keyFiles: ['/none.pub'] });
  await t.rejects(missing.reload(), /sa\.key: ENOENT/);
});

t.test('tokens that are not what they say', async (t) => {
  const rsa = newRsa();
  const ec = newEc();
  const signer = readSigningKey(pemOf(rsa.privateKey));
  const [second] = readVerificationKeys(pemOf(ec.publicKey));
  const set = keySetOf(signer, second ? [second] : []);
  const issuer = createTokenIssuer({ keys: () => set, address: 'a:1', clock });
  const good = await issuer.issue(subject);
  const claims = { ...(await issuer.verify(good)) };
  const [header = '', payload = '', signature = ''] = good.split('.');
  const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = (alg: string, kid: string | undefined, key: KeyObject | Uint8Array, more: object = {}) =>
    new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg, ...(kid && { kid }) }).sign(key);
  const publicPem = Buffer.from(pemOf(rsa.publicKey));
  for (const [what, token] of [
    ['alg none', `${encoded({ alg: 'none' })}.${payload}.`],
    ['alg none, with a signature', `${encoded({ alg: 'none', kid: signer.kid })}.${payload}.${signature}`],
    ['no signature', `${header}.${payload}.`],
    [
      'other claims',
      `${header}.${encoded({ ...claims, sub: 'system:serviceaccount:kube-system:admin' })}.${signature}`,
    ],
    ['HS256 with the public key', await signed('HS256', signer.kid, publicPem)],
    ['HS256 without a kid', await signed('HS256', undefined, publicPem)],
    ['RS384 of the right key', await signed('RS384', signer.kid, rsa.privateKey)],
    ['the kid of another key', await signed('ES256', signer.kid, ec.privateKey)],
    ['the other way round', await signed('RS256', second?.kid, rsa.privateKey)],
    ['an unknown kid', await signed('RS256', 'nobody', rsa.privateKey)],
    ['a stranger with our kid', await signed('RS256', signer.kid, newRsa().privateKey)],
    ['another issuer', await signed('RS256', signer.kid, rsa.privateKey, { iss: 'https://else.example' })],
    [
      'the issuer of Secrets',
      await signed('RS256', signer.kid, rsa.privateKey, { iss: 'kubernetes/serviceaccount' }),
    ],
    [
      'not yet',
      await signed('RS256', signer.kid, rsa.privateKey, { nbf: clock.now().getTime() / 1000 + 61 }),
    ],
    ['over', await signed('RS256', signer.kid, rsa.privateKey, { exp: clock.now().getTime() / 1000 })],
    ['no end', await signed('RS256', signer.kid, rsa.privateKey, { exp: undefined })],
    ['nonsense', 'a.b.c'],
    ['more nonsense', `${encoded([])}.${encoded([])}.x`],
  ] as const)
    t.equal(await issuer.verify(token), undefined, what);
  t.ok(
    await issuer.verify(await signed('RS256', undefined, rsa.privateKey)),
    'without a kid every key is tried',
  );
  t.ok(await issuer.verify(await signed('ES256', second?.kid, ec.privateKey)));
  clock.jump(3600_000);
  t.equal(await issuer.verify(good), undefined, 'no leeway at the end');
  clock.jump(-3600_000);
});

t.test('issuers, audiences and lifetimes', async (t) => {
  const { files } = await keyFilesIn(t);
  const before = issuerOf(files);
  const issuers = ['https://new.example', defaultIssuer];
  const issuer = issuerOf(files, {
    issuers,
    audiences: ['api', 'other'],
    jwksUri: 'https://keys.example/jwks',
  });
  t.ok(await issuer.verify(await before.issue(subject)), 'the issuer of before is still taken');
  t.equal(await before.verify(await issuer.issue(subject)), undefined);
  t.match(JSON.parse(issuer.documents.get('/.well-known/openid-configuration')?.().body ?? '{}'), {
    issuer: 'https://new.example',
    jwks_uri: 'https://keys.example/jwks',
  });
  const ofPod = {
    ...{ serviceAccount, expirationSeconds: 3607 },
    bound: { kind: 'Pod' as const, metadata: { name: 'web', uid: 'uid-2' } },
  };
  const secondsOf = async (from: TokenIssuer, audiences: string[]): Promise<number> => {
    const claims = await from.verify(await from.issue({ ...ofPod, audiences }));
    return (claims?.exp ?? 0) - (claims?.iat ?? 0);
  };
  t.equal(await secondsOf(issuer, ['api']), 365 * 24 * 3600);
  t.equal(await secondsOf(issuer, ['api', 'vault']), 3607, 'others get no longer ones');
  t.equal(await secondsOf(issuerOf(files, { extendExpiration: false }), [defaultIssuer]), 3607);
});
