/** The keys of an outside issuer that means no good. The issuer over HTTPS: `attacks.test.ts` and `outside.test.ts`. */
import { generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import t from 'tap';
import { createRemoteKeys } from './remotekeys.js';
import { createMemoryLog } from './testing.js';

t.test('an issuer with more keys than any has: the cost of a token that names none is bounded', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = 'https://issuer.example';
  const rules = { issuer, algorithms: ['ES256'] };
  const token = await new SignJWT({ iss: issuer }).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
  for (const [count, isTaken] of [
    [100, true],
    [101, false],
  ] as const) {
    const jwk = publicKey.export({ format: 'jwk' });
    const set = { keys: Array.from({ length: count }, () => jwk) };
    const { log, records } = createMemoryLog();
    const keys = createRemoteKeys({
      issuer,
      discoveryUrl: `${issuer}/discovery`,
      outbound: { json: async (url) => (url === issuer ? set : { issuer, jwks_uri: issuer }) },
      clock: { monotonicMs: () => 0 },
      log,
    });
    t.equal((await keys.verify(token, rules)) !== undefined, isTaken);
    if (!isTaken) t.match(records, [[{ issuer, reason: `${issuer}: holds more than 100 keys` }]]);
  }
});

t.test('keys that are none: the token is not known, which is no mistake of ours', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = publicKey.export({ format: 'jwk' });
  const issuer = 'https://issuer.example';
  const wrong = [
    { ...jwk, n: undefined },
    { ...jwk, n: '!!!' },
    { ...jwk, n: 'q'.repeat(900_000) },
    { ...jwk, kty: 'oct', k: 'aHVzaA' },
    { kty: 'RSA' },
  ];
  for (const key of wrong)
    for (const kid of ['a', undefined]) {
      const { log, records } = createMemoryLog();
      const keys = createRemoteKeys({
        ...{ issuer, discoveryUrl: `${issuer}/discovery`, clock: { monotonicMs: () => 0 }, log },
        outbound: {
          json: async (url) =>
            url === issuer ? { keys: [{ ...key, kid: 'a', alg: 'RS256' }] } : { issuer, jwks_uri: issuer },
        },
      });
      const header = { alg: 'RS256', ...(kid && { kid }) };
      const token = await new SignJWT({ iss: issuer }).setProtectedHeader(header).sign(privateKey);
      t.equal(await keys.verify(token, { issuer, algorithms: ['RS256'] }), undefined);
      t.notMatch(JSON.stringify(records), token);
    }
});

t.test('what an issuer says of itself is not logged in full', async (t) => {
  const issuer = 'https://issuer.example';
  const long = 'x'.repeat(500_000);
  for (const document of [{ issuer: long }, { issuer: [long] }, { issuer, jwks_uri: `https://${long}` }]) {
    const { log, records } = createMemoryLog();
    const keys = createRemoteKeys({
      ...{ issuer, discoveryUrl: `${issuer}/discovery`, clock: { monotonicMs: () => 0 }, log },
      outbound: { json: async () => document },
    });
    await keys.refresh();
    t.equal(records.length, 1);
    t.ok(JSON.stringify(records).length < 4096);
  }
});
