/**
 * The cluster's certificate authority: one self-signed certificate that signs everything else. Pure but for randomness.
 * Called by `pki.ts` for the master's own certificates and by the certificates controller for those of nodes.
 *
 * Certificates begin five minutes in the past, so that a host whose clock is a little behind takes them; those that live
 * for less than twenty minutes a quarter of their life, or they would be old when they are made.
 */
import {
  alternativeNames,
  createKey,
  importKey,
  type KeyPair,
  nameOf,
  type Subject,
  signingAlgorithm,
  x509,
} from '../../src/host/x509.js';

export interface Authority {
  /** Certificate (PEM) and key of the authority. */
  readonly pair: KeyPair;
  /** How long what it issues lives, unless a request asks for less. */
  readonly lifetimeMs: number;
  /** For servers: `cert` is the chain with the authority behind the leaf, so that a joining host can see whom to pin. */
  issueServing(
    subject: Subject,
    names: { dnsNames: readonly string[]; ips: readonly string[] },
    now: Date,
  ): Promise<KeyPair>;
  issueClient(subject: Subject, now: Date): Promise<KeyPair>;
  /**
   * Signs what a request asks for: its subject, key and alternative names. The caller has decided that it may have
   * them. Returns the leaf as PEM.
   */
  signRequest(requestPem: string, use: CertificateUse, now: Date): Promise<string>;
  /**
   * The other authority's certificate, issued by this one: whoever trusts only this one believes what the other issues
   * when it is shown along. PEM.
   */
  crossSign(other: KeyPair, now: Date): Promise<string>;
}

export interface CertificateUse {
  purpose: 'client' | 'server';
  lifetimeMs: number;
  /** Also for sending keys, as RSA does; false by default. */
  keyEncipherment?: boolean;
}

const dayMs = 24 * 60 * 60_000;
const authorityLifetimeMs = 10 * 365 * dayMs;
/** Of certificates for servers and clients. */
export const leafLifetimeMs = 365 * dayMs;
const skewMs = 5 * 60_000;
const authorityKeyIdentifier = '2.5.29.35';

export async function createAuthority(now: Date, commonName = 'wherry'): Promise<Authority> {
  const key = await createKey();
  const keys = await importKey(key);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: nameOf({ commonName, organizations: [] }),
      ...validity(now, authorityLifetimeMs),
      keys,
      signingAlgorithm,
      extensions: [
        // No limit to the length of a path: its successor will be signed by it.
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto),
      ],
    },
    crypto,
  );
  return loadAuthority({ cert: pemOf(certificate), key });
}

export async function loadAuthority(pair: KeyPair, lifetimeMs = leafLifetimeMs): Promise<Authority> {
  const authority = new x509.X509Certificate(pair.cert);
  const { privateKey } = await importKey(pair.key);

  async function sign(
    subject: x509.JsonName | x509.Name,
    publicKey: x509.PublicKeyType,
    names: x509.SubjectAlternativeNameExtension | undefined,
    use: CertificateUse,
    now: Date,
  ): Promise<string> {
    const purpose =
      use.purpose === 'client' ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth;
    const certificate = await x509.X509CertificateGenerator.create(
      {
        subject,
        issuer: authority.subject,
        ...validity(now, use.lifetimeMs, authority.notAfter),
        publicKey,
        signingKey: privateKey,
        signingAlgorithm,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(keyUsageOf(use), true),
          new x509.ExtendedKeyUsageExtension([purpose]),
          await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey, false, crypto),
          ...(names ? [names] : []),
        ],
      },
      crypto,
    );
    return pemOf(certificate);
  }

  return {
    pair,
    lifetimeMs,
    async issueServing(subject, { dnsNames, ips }, now) {
      const key = await createKey();
      const { publicKey } = await importKey(key);
      const use = { purpose: 'server', lifetimeMs } as const;
      const leaf = await sign(nameOf(subject), publicKey, alternativeNames(dnsNames, ips), use, now);
      return { cert: leaf + pair.cert, key };
    },
    async issueClient(subject, now) {
      const key = await createKey();
      const { publicKey } = await importKey(key);
      const use = { purpose: 'client', lifetimeMs } as const;
      return { cert: await sign(nameOf(subject), publicKey, undefined, use, now), key };
    },
    async signRequest(requestPem, use, now) {
      const request = new x509.Pkcs10CertificateRequest(requestPem);
      const names = request.extensions.find(
        (extension) => extension instanceof x509.SubjectAlternativeNameExtension,
      );
      return sign(asRead(request.subjectName), request.publicKey, names, use, now);
    },
    async crossSign(other, now) {
      const { subject, publicKey, extensions, notAfter } = new x509.X509Certificate(other.cert);
      const latest = Math.min(notAfter.getTime(), authority.notAfter.getTime());
      const certificate = await x509.X509CertificateGenerator.create(
        {
          subject,
          issuer: authority.subject,
          ...validity(now, authorityLifetimeMs, new Date(latest)),
          publicKey,
          signingKey: privateKey,
          signingAlgorithm,
          extensions: [
            ...extensions.filter(({ type }) => type !== authorityKeyIdentifier),
            await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey, false, crypto),
          ],
        },
        crypto,
      );
      return pemOf(certificate);
    },
  };
}

/**
 * The name in the words that `readRequest` and whoever approved it read. In text the library takes what begins with `#` for
 * the encoded form of something else, and others may decode rare encodings that it leaves alone: `#130e...` would be
 * approved and an administrator's group signed.
 */
const asRead = (subject: x509.Name): x509.Name =>
  new x509.Name(
    subject
      .toJSON()
      .map((names) =>
        Object.fromEntries(
          Object.entries(names).map(([type, values]) => [type, values.map((utf8String) => ({ utf8String }))]),
        ),
      ),
  );

const keyUsageOf = ({ keyEncipherment }: CertificateUse): x509.KeyUsageFlags =>
  x509.KeyUsageFlags.digitalSignature | (keyEncipherment ? x509.KeyUsageFlags.keyEncipherment : 0);

const validity = (now: Date, lifetimeMs: number, latest?: Date): { notBefore: Date; notAfter: Date } => ({
  notBefore: new Date(now.getTime() - Math.min(skewMs, lifetimeMs / 4)),
  notAfter: new Date(Math.min(now.getTime() + lifetimeMs, latest?.getTime() ?? Number.POSITIVE_INFINITY)),
});

const pemOf = (certificate: x509.X509Certificate): string => `${certificate.toString('pem')}\n`;
