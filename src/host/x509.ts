/**
 * X.509 for the master's authority and the agent's requests: @peculiar/x509, and the few things both sides do with it.
 * Keys are ECDSA P-256, texts are PEM. Loading it costs 20 MB and 100 ms: the agent imports it only to make a request.
 */
import './reflect.js';
import { constants, createPrivateKey, createPublicKey, KeyObject, verify, type webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

export * as x509 from '@peculiar/x509';

export const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
export const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const;

/** A certificate (or a chain, leaf first) and its private key. */
export interface KeyPair {
  cert: string;
  key: string;
}

/** Who a certificate speaks for: a user name and groups. */
export interface Subject {
  commonName: string;
  organizations: readonly string[];
}

export interface RequestedNames extends Subject {
  dnsNames: readonly string[];
  ips: readonly string[];
}

/** A new private key as PKCS#8 PEM. */
export async function createKey(): Promise<string> {
  const { privateKey } = await crypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
  return KeyObject.from(privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Both halves of a private key, for the library. */
export async function importKey(pem: string): Promise<webcrypto.CryptoKeyPair> {
  const privateKey = createPrivateKey(pem);
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return {
    privateKey: await crypto.subtle.importKey('pkcs8', pkcs8, keyAlgorithm, true, ['sign']),
    publicKey: await crypto.subtle.importKey('spki', spki, keyAlgorithm, true, ['verify']),
  };
}

/** One relative name per value, organizations first, as Kubernetes' tools write it. */
export const nameOf = (subject: Subject): x509.JsonName => [
  ...subject.organizations.map((organization) => ({ O: [organization] })),
  { CN: [subject.commonName] },
];

export const alternativeNames = (
  dnsNames: readonly string[],
  ips: readonly string[],
): x509.SubjectAlternativeNameExtension =>
  new x509.SubjectAlternativeNameExtension([
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...ips.map((value) => ({ type: 'ip' as const, value })),
  ]);

/** A certificate signing request (PKCS#10, PEM), signed with the key it asks a certificate for. */
export async function createRequest(keyPem: string, names: RequestedNames): Promise<string> {
  const hasNames = names.dnsNames.length + names.ips.length > 0;
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      name: nameOf(names),
      keys: await importKey(keyPem),
      signingAlgorithm,
      extensions: hasNames ? [alternativeNames(names.dnsNames, names.ips)] : [],
    },
    crypto,
  );
  return request.toString('pem');
}

/**
 * What a request asks for. Throws when it cannot be read, is not signed by the key it holds, or has several common names:
 * whoever reads another one of them would take it for another user.
 */
export async function readRequest(pem: string): Promise<RequestedNames & { otherNames: number }> {
  const request = new x509.Pkcs10CertificateRequest(pem);
  if (!(await request.verify(crypto))) throw new Error('the request is not signed by its own key');
  const names =
    request.extensions.find((extension) => extension instanceof x509.SubjectAlternativeNameExtension)?.names
      .items ?? [];
  const ofType = (type: string): string[] =>
    names.filter((name) => name.type === type).map((name) => name.value);
  const [dnsNames, ips] = [ofType('dns'), ofType('ip')];
  const [commonName = '', ...others] = request.subjectName.getField('CN');
  if (others.length > 0) throw new Error('the request has several common names');
  return {
    commonName,
    organizations: request.subjectName.getField('O'),
    dnsNames,
    ips,
    otherNames: names.length - dnsNames.length - ips.length,
  };
}

/** What is wrong with a text that should be a request (PEM), signed by the key it holds; nothing that is wrong: undefined. */
export function requestProblem(pem: string): string | undefined {
  const [block, more] = pem.match(/-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----[^-]+-----END/g) ?? [];
  if (block === undefined || more !== undefined) return 'PEM block type must be CERTIFICATE REQUEST';
  try {
    const request = new x509.Pkcs10CertificateRequest(pem);
    const key = createPublicKey({
      ...{ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' },
    } as const);
    const { name, hash } = request.signatureAlgorithm as { name: string; hash?: { name: string } };
    const signed = firstElement(Buffer.from(request.rawData));
    const padding = name === 'RSA-PSS' ? { padding: constants.RSA_PKCS1_PSS_PADDING } : {};
    const isGood = verify(hash?.name ?? null, signed, { key, ...padding }, Buffer.from(request.signature));
    return isGood ? undefined : 'the request is not signed by its own key';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What a request signs: the first element of the sequence that it is (DER). Throws when that goes beyond it. */
function firstElement(der: Buffer): Buffer {
  const outer = headerAt(der, 0);
  const inner = headerAt(der, outer.bodyAt);
  if (inner.end > der.length) throw new Error('the request is cut off');
  return der.subarray(outer.bodyAt, inner.end);
}

function headerAt(der: Buffer, at: number): { bodyAt: number; end: number } {
  const first = der.readUInt8(at + 1);
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes);
  const bodyAt = at + 2 + lengthBytes;
  return { bodyAt, end: bodyAt + length };
}
