import { webcrypto } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { isReason } from '../api/errors.js';
import { configMaps } from '../api/kinds.js';
import { x509 } from '../host/x509.js';
import { startTestApiServer } from '../testing/apiserver.js';
import { createFakeClient } from '../testing/fakeclient.js';
import { createRestClient } from './rest.js';

async function authority(): Promise<{
  pem: string;
  issue(name: string): Promise<{ cert: string; key: string }>;
}> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const generate = () =>
    webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
  const keys = await generate();
  const dates = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...dates,
    name: 'CN=test',
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return {
    pem: ca.toString('pem'),
    async issue(name) {
      const own = await generate();
      const cert = await x509.X509CertificateGenerator.create({
        ...dates,
        subject: `CN=${name}`,
        issuer: ca.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
      });
      const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey)).toString('base64');
      return {
        cert: cert.toString('pem'),
        key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
      };
    },
  };
}

void t.test('new credentials open new connections and leave a running watch alone', async (t) => {
  const ca = await authority();
  const fake = createFakeClient();
  const server = await startTestApiServer(fake, { ...(await ca.issue('server')), clientCa: ca.pem });
  let credentials = { ca: ca.pem, ...(await ca.issue('first')) };
  const client = createRestClient({ server: server.url, credentials: () => credentials });
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  const { metadata } = await client.list(configMaps);
  const stop = new AbortController();
  const watch = client.watch(configMaps, {
    resourceVersion: metadata.resourceVersion ?? '',
    signal: stop.signal,
  });
  const seen: (string | undefined)[] = [];
  const watching = (async () => {
    for await (const event of watch) {
      seen.push(event.object.metadata.name);
      if (seen.length === 2) return;
    }
  })();
  const make = (name: string) => client.create(configMaps, { metadata: { namespace: 'default', name } });
  await make('a');
  while (seen.length === 0) await setImmediate();
  credentials = { ca: ca.pem, ...(await ca.issue('second')) };
  const before = server.connections;
  await make('b');
  t.equal(server.connections, before + 1, 'one new connection for the new certificate');
  await watching;
  t.strictSame(seen, ['a', 'b']);
  t.equal(
    server.requests.filter((line) => line.includes('watch=true')).length,
    1,
    'the watch was never renewed',
  );

  const stranger = createRestClient({ server: server.url, ca: ca.pem });
  t.teardown(() => stranger.close());
  t.ok(isReason(await stranger.list(configMaps).catch((error: unknown) => error), 'ServiceUnavailable'));
});
