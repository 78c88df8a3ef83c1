/** Certificates of clients over TLS: authorities that change, what stands between, front proxies. */
import { X509Certificate } from 'node:crypto';
import { Agent, type RequestOptions, request } from 'node:https';
import t from 'tap';
import type { KeyPair } from '../../src/host/x509.js';
import { issuedByOneOf, readAuthorities } from '../auth/authn/chain.js';
import { createAuthority } from '../auth/ca.js';
import { createTestServer } from './testing.js';

const now = new Date();
const hourMs = 3_600_000;
const [first, second, proxies] = [
  await createAuthority(now, 'first'),
  await createAuthority(now, 'second'),
  await createAuthority(now, 'proxies'),
];
const cross = await first.crossSign(second.pair, now);
const jane = { commonName: 'jane', organizations: ['system:masters'] };
const ofFirst = await first.issueClient(jane, now);
const ofSecond = await second.issueClient(jane, now);
const ofProxies = await proxies.issueClient(jane, now);
const leafOf = ({ cert }: KeyPair): X509Certificate => new X509Certificate(cert);

t.test('the way from a certificate to an authority', async (t) => {
  const [one, two] = [readAuthorities(first.pair.cert), readAuthorities(second.pair.cert)];
  const between = readAuthorities(cross);
  const found = issuedByOneOf(one, leafOf(ofFirst));
  t.ok(found && found.fromMs < now.getTime() && found.untilMs > now.getTime() + hourMs);
  t.equal(issuedByOneOf(two, leafOf(ofFirst)), undefined);
  t.equal(issuedByOneOf([], leafOf(ofFirst)), undefined);
  t.ok(issuedByOneOf([...two, ...one], leafOf(ofFirst)), 'one of several');
  t.equal(issuedByOneOf(one, leafOf(ofSecond)), undefined);
  t.ok(issuedByOneOf(one, leafOf(ofSecond), between), 'through another one');
  t.equal(issuedByOneOf(two, leafOf(ofFirst), between), undefined, 'not the other way round');
  t.equal(issuedByOneOf([leafOf(ofFirst)], leafOf(ofFirst)), undefined, 'a leaf is no authority');
  const server = await first.issueServing(jane, { dnsNames: ['a'], ips: [] }, now);
  t.equal(issuedByOneOf(one, readAuthorities(server.cert)[0] as X509Certificate), undefined, 'of a server');
  t.equal(readAuthorities(first.pair.cert + second.pair.cert).length, 2);
});

t.test('over TLS', async (t) => {
  const names = { dnsNames: ['localhost'], ips: ['127.0.0.1'] };
  const serving = await first.issueServing({ commonName: 'server', organizations: [] }, names, now);
  const api = await createTestServer({
    serving: { ...serving, ca: first.pair.cert },
    frontProxy: () => ({
      ...{ ca: proxies.pair.cert, allowedNames: ['jane'], userHeaders: ['x-user'], uidHeaders: [] },
      ...{ groupHeaders: ['x-group'], extraPrefixes: [] },
    }),
  });
  t.teardown(() => api.close());
  const { port } = new URL(api.url);

  const codeOf = (pair: KeyPair, options: RequestOptions = { agent: false }): Promise<number> =>
    new Promise((resolve, reject) => {
      const path = '/api/v1/namespaces/default/pods';
      const outgoing = request({ host: '127.0.0.1', port, path, ca: first.pair.cert, ...pair, ...options });
      outgoing.on('error', reject);
      outgoing.on('response', (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      });
      outgoing.end();
    });
  const chained = { ...ofSecond, cert: ofSecond.cert + cross };
  t.equal(await codeOf(ofFirst), 200);
  t.equal(await codeOf(ofSecond), 401);
  t.equal(await codeOf(chained), 200, 'through the certificate in between');
  t.equal(await codeOf(ofProxies), 401, 'a front proxy names nobody');
  const headers = { 'x-user': 'joe', 'x-group': 'system:masters' };
  t.equal(await codeOf(ofProxies, { agent: false, headers }), 200);
  t.equal(await codeOf(ofSecond, { agent: false, headers }), 401);

  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.equal(await codeOf(ofFirst, { agent }), 200);
  const another = new Agent({ keepAlive: true, maxSockets: 1 });
  t.equal(await codeOf(chained, { agent: another }), 200);
  api.server.renew({ ...serving, ca: `${first.pair.cert}\n` });
  t.equal(await codeOf(chained, { agent: another }), 200, 'judged anew, with the same chain');
  another.destroy();
  api.server.renew({ ...serving, ca: first.pair.cert + second.pair.cert });
  t.equal(await codeOf(ofFirst, { agent }), 200, 'the same connection');
  t.equal(await codeOf(ofSecond), 200, 'both authorities are trusted');
  api.server.renew({ ...serving, ca: second.pair.cert });
  t.equal(await codeOf(ofFirst, { agent }), 401, 'on a connection of before, too');
  t.equal(await codeOf(ofFirst), 401, 'and on a new one, though it was believed before');
  t.equal(await codeOf(ofSecond), 200);
  t.equal(await codeOf(ofProxies, { agent: false, headers }), 200);
  agent.destroy();
});
