/**
 * Keys that sign and verify the tokens of service accounts, from PEM. Pure. Called by `keyfiles.ts`.
 *
 * A key is named by the hash of its public half, as kube-apiserver names it, and has one algorithm: a token that names
 * another one for it is not looked at.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  type PublicKeyInput,
} from 'node:crypto';

export interface VerificationKey {
  kid: string;
  alg: string;
  publicKey: KeyObject;
}

export interface SigningKey extends VerificationKey {
  privateKey: KeyObject;
}

export interface KeySet {
  signer: SigningKey;
  /** All that tokens may be signed with, the signer's first; each once. */
  keys: readonly VerificationKey[];
}

const curves: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};
const leastRsaBits = 2048;

/** RS256 for RSA, ES256, ES384 or ES512 for the curves of these. Throws for anything else. */
function algorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject): string {
  if (type === 'rsa') {
    if ((details.modulusLength ?? 0) < leastRsaBits)
      throw new Error(`an RSA key needs at least ${leastRsaBits} bits`);
    return 'RS256';
  }
  const found = type === 'ec' ? curves[details.namedCurve ?? ''] : undefined;
  if (!found) throw new Error('only RSA keys and EC keys of P-256, P-384 and P-521 can be used');
  return found;
}

function verificationKey(publicKey: KeyObject): VerificationKey {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return {
    kid: createHash('sha256').update(der).digest('base64url'),
    alg: algorithmOf(publicKey),
    publicKey,
  };
}

/** The only private key of a PEM text. Throws when there is none that can be used. */
export function readSigningKey(pem: string): SigningKey {
  const privateKey = createPrivateKey(pem);
  return { ...verificationKey(createPublicKey(privateKey)), privateKey };
}

const block = /-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----/g;
const usable = /^(?:RSA |EC )?(?:PUBLIC|PRIVATE) KEY$|^CERTIFICATE$/;

/** The public halves of all keys (public, private, certificates) of a PEM text. Throws when there is none. */
export function readVerificationKeys(pem: string): VerificationKey[] {
  const found = [...pem.matchAll(block)]
    .filter(([, kind = '']) => usable.test(kind))
    .map(([text]) => verificationKey(createPublicKey({ key: text, format: 'pem' } as PublicKeyInput)));
  if (found.length === 0) throw new Error('holds no key in PEM');
  return found;
}

export function keySetOf(signer: SigningKey, others: readonly VerificationKey[]): KeySet {
  const { privateKey: _, ...own } = signer;
  const byId = new Map([own, ...others].map((key) => [key.kid, key]));
  return { signer, keys: [...byId.values()] };
}

/** What is published of a key. */
export const jwkOf = ({ kid, alg, publicKey }: VerificationKey): JsonWebKey => ({
  use: 'sig',
  ...publicKey.export({ format: 'jwk' }),
  kid,
  alg,
});
