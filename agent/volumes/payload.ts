/**
 * The files of a configMap, secret, downwardAPI or projected volume: which paths, contents and modes. Pure.
 */
import { posix } from 'node:path';
import type { ConfigMap, DownwardAPIVolumeFile, KeyToPath, Secret } from '../../src/api/types.js';

export interface PayloadFile {
  data: Buffer;
  mode: number;
  /** Its owner, where that is not root. */
  user?: number;
}

/** By path relative to the volume. */
export type Payload = Map<string, PayloadFile>;

export const defaultFileMode = 0o644;

const maxPathBytes = 4096;
const maxNameBytes = 255;

/** The contents of an object by key. */
export type Data = ReadonlyMap<string, Buffer>;

export const dataOfConfigMap = (object: ConfigMap): Data =>
  new Map([
    ...Object.entries(object.data ?? {}).map(([key, text]): [string, Buffer] => [key, Buffer.from(text)]),
    ...Object.entries(object.binaryData ?? {}).map(([key, text]): [string, Buffer] => [
      key,
      Buffer.from(text, 'base64'),
    ]),
  ]);

export const dataOfSecret = (object: Secret): Data =>
  new Map(Object.entries(object.data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64')]));

/** A key that `items` names and that is not there makes the volume fail, unless the reference is optional. */
export class MissingKey extends Error {
  override readonly name = 'MissingKey';
}

/** All keys under their own names, or just `items` under the paths they give. */
export function selectItems(
  data: Data,
  items: readonly KeyToPath[] | undefined,
  options: { kind: string; mode: number; isOptional: boolean },
): Payload {
  if (!items || items.length === 0) {
    return new Map(
      [...data].map(([key, content]) => [requireSafePath(key), { data: content, mode: options.mode }]),
    );
  }
  const payload: Payload = new Map();
  for (const { key, path, mode } of items) {
    const content = data.get(key);
    if (content) payload.set(requireSafePath(path), { data: content, mode: mode ?? options.mode });
    else if (!options.isOptional)
      throw new MissingKey(`${options.kind} references non-existent ${options.kind} key: ${key}`);
  }
  return payload;
}

export const downwardFiles = (
  items: readonly DownwardAPIVolumeFile[],
  defaultMode: number,
  textOf: (item: DownwardAPIVolumeFile) => string,
): Payload =>
  new Map(
    items.map((item) => [
      requireSafePath(item.path),
      { data: Buffer.from(textOf(item)), mode: item.mode ?? defaultMode },
    ]),
  );

/**
 * The path in its shortest form: relative, without `..`, and not one of the names that the volume itself uses (`..data`,
 * `..2026_...`). Throws for any other.
 */
export function requireSafePath(path: string): string {
  const clean = posix.normalize(path);
  const parts = clean.split('/');
  const isBad =
    path === '' ||
    clean === '.' ||
    clean.startsWith('/') ||
    clean.startsWith('..') ||
    clean.endsWith('/') ||
    path.split('/').includes('..') ||
    path.includes('\0') ||
    path.length > maxPathBytes ||
    parts.some((part) => Buffer.byteLength(part) > maxNameBytes);
  if (isBad) throw new Error(`invalid path: must be relative and not contain '..': ${path}`);
  return clean;
}
