/**
 * An authority on disk and its successors: how one is replaced while everybody goes on. Called by `pki.ts`; the steps of a
 * rotation by `master/certificates/rotation.ts`.
 *
 *   <name>.{crt,key}       signs
 *   <name>-next.{crt,key}  announced: trusted, signs nothing yet
 *   <name>-old.crt         replaced: still trusted
 *   <name>-cross.crt       the certificate of the one that signs, issued by the one before: shown behind the certificate of
 *                          a server, so that whoever knows only the former authority believes it too
 *
 *   steady --announce--> announced --replace--> replaced --drop--> steady
 *
 * A step that died half-way is finished by the next look: `-old` beside `-next` means that `replace` has begun.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfExists, writeAtomic } from '../../src/host/files.js';
import { isReadable } from '../../src/host/pem.js';
import { type Authority, createAuthority, loadAuthority } from './ca.js';
import { readPair, writePair } from './pairs.js';

export type RotationPhase = 'steady' | 'announced' | 'replaced';

export interface AuthoritySet {
  readonly signing: Authority;
  /** Certificates (PEM) of all that are trusted, the signing one first. */
  readonly trusted: readonly string[];
  /** See above; absent for an authority without predecessor. */
  readonly cross: string | undefined;
  readonly phase: RotationPhase;
}

export interface AuthorityPlace {
  /** `<data-dir>/master/pki`. */
  directory: string;
  /** Of its files: `ca`. */
  name: string;
  /** Common name of its certificate; successors add when they were made. */
  commonName: string;
  /** Files that are made after it: with one of them there it was there, too. */
  before: readonly string[];
}

/** Made when there never was one. Rejects when any of it is missing or damaged: to replace it would lock out every node. */
export async function ensureAuthorities(
  place: AuthorityPlace,
  { now, lifetimeMs }: { now: Date; lifetimeMs: number | undefined },
): Promise<AuthoritySet> {
  const at = pathsOf(place);
  if ((await textOf(at('-old.crt'))) !== undefined && (await textOf(at('-next.crt'))) !== undefined)
    await moveNext(place);
  const signing = await ensureSigning(place, { now, lifetimeMs });
  const [next, old, cross] = await Promise.all(
    ['-next.crt', '-old.crt', '-cross.crt'].map((part) => textOf(at(part))),
  );
  return {
    signing,
    trusted: [signing.pair.cert, ...(next ? [next] : []), ...(old ? [old] : [])],
    cross,
    phase: next ? 'announced' : old ? 'replaced' : 'steady',
  };
}

/** Makes the successor. Nothing when there is one already. */
export async function announce(place: AuthorityPlace, now: Date): Promise<void> {
  const at = pathsOf(place);
  if ((await textOf(at('-next.crt'))) !== undefined) return;
  const { signing } = await ensureAuthorities(place, { now, lifetimeMs: undefined });
  const made = now.toISOString().replace(/\D/g, '').slice(0, 14);
  const next = await createAuthority(now, `${place.commonName}-${made}`);
  await writeAtomic(at('-next-cross.crt'), await signing.crossSign(next.pair, now), 0o600);
  await writePair(at('-next'), next.pair);
}

/** From now on the successor signs. Everybody should know it by now. */
export async function replace(place: AuthorityPlace): Promise<void> {
  const at = pathsOf(place);
  const [signing, next] = [await textOf(at('.crt')), await textOf(at('-next.crt'))];
  if (signing === undefined || next === undefined) return;
  await writeAtomic(at('-old.crt'), signing, 0o600);
  await moveNext(place);
}

async function moveNext(place: AuthorityPlace): Promise<void> {
  const at = pathsOf(place);
  const { cert, key } = await readPair(at('-next'));
  const cross = await textOf(at('-next-cross.crt'));
  if (cert === undefined || key === undefined || cross === undefined)
    throw new Error(`${at('-next')}.key or its certificates are missing or do not match; restore them`);
  await writePair(at(''), { cert, key });
  await writeAtomic(at('-cross.crt'), cross, 0o600);
  // The certificate goes first: it is what says that there is a successor.
  for (const part of ['-next.crt', '-next.key', '-next-cross.crt']) await rm(at(part), { force: true });
}

/** From now on only the signing authority is trusted. */
export const dropOld = (place: AuthorityPlace): Promise<void> =>
  rm(pathsOf(place)('-old.crt'), { force: true });

async function ensureSigning(
  place: AuthorityPlace,
  { now, lifetimeMs }: { now: Date; lifetimeMs: number | undefined },
): Promise<Authority> {
  const path = pathsOf(place)('');
  const found = await readPair(path);
  if (found.cert !== undefined && found.key !== undefined)
    return loadAuthority({ cert: found.cert, key: found.key }, lifetimeMs);
  // The key is written first: a certificate without its key can only be a loss.
  if (found.cert !== undefined) throw new Error(`${path}.key is missing; restore it from a backup`);
  if ((await textOf(`${path}.crt`)) !== undefined)
    throw new Error(`${path}.key and ${path}.crt do not match`);
  const proof = place.before.find((file) => existsSync(file));
  if (proof !== undefined)
    throw new Error(
      `${path}.crt is missing, but there is ${proof}, which is made after it; put ${path}.crt and ${path}.key back from a backup`,
    );
  const { pair } = await createAuthority(now, place.commonName);
  await writePair(path, pair);
  return loadAuthority(pair, lifetimeMs);
}

const pathsOf =
  ({ directory, name }: AuthorityPlace) =>
  (part: string): string =>
    join(directory, `${name}${part}`);

/** Of a certificate. An empty file is none, as there may be a crash behind it. */
async function textOf(path: string): Promise<string | undefined> {
  const text = (await readIfExists(path))?.toString();
  if (text && !isReadable(text))
    throw new Error(`${path} holds no certificate in PEM; put it back from a backup`);
  return text;
}
