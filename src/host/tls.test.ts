import { constants } from 'node:crypto';
import { getCiphers } from 'node:tls';
import t from 'tap';
import { defaultTls, tlsFlags } from './tls.js';

t.test('by default: TLS 1.2, ECDHE with an AEAD cipher, nothing else', async (t) => {
  t.same(tlsFlags({}), defaultTls);
  t.equal(defaultTls.minVersion, 'TLSv1.2');
  const known = new Set(getCiphers().map((name) => name.toUpperCase()));
  for (const suite of defaultTls.ciphers.split(':')) {
    t.ok(known.has(suite), `OpenSSL knows ${suite}`);
    t.match(suite, /^(TLS_|ECDHE-).*(GCM|POLY1305)/);
  }
  t.ok(defaultTls.secureOptions & constants.SSL_OP_NO_RENEGOTIATION);
  t.ok(defaultTls.secureOptions & constants.SSL_OP_NO_TICKET);
});

t.test('flags by the names of Kubernetes', async (t) => {
  t.equal(tlsFlags({ tlsMinVersion: 'VersionTLS13' }).minVersion, 'TLSv1.3');
  const { ciphers } = tlsFlags({
    tlsCipherSuites: 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305, TLS_AES_128_GCM_SHA256',
  });
  t.equal(
    ciphers,
    'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:ECDHE-RSA-CHACHA20-POLY1305',
  );
});

t.test('refuses what is not safe, and says what is', async (t) => {
  for (const version of ['VersionTLS10', 'VersionTLS11', '1.3'])
    t.throws(
      () => tlsFlags({ tlsMinVersion: version }),
      /--tls-min-version: .* take one of VersionTLS12, VersionTLS13/,
    );
  for (const suite of ['TLS_RSA_WITH_AES_128_CBC_SHA', 'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256', 'HIGH', ''])
    t.throws(
      () => tlsFlags({ tlsCipherSuites: `TLS_AES_128_GCM_SHA256,${suite}` }),
      /--tls-cipher-suites: .* is unknown or not safe; take some of TLS_ECDHE_ECDSA/,
    );
});
