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
