/**
 * 1. Request bodies: bytes and Content-Type -> a plain JSON value. Pure.
 *
 * JSON, protobuf, and YAML with kubectl's reading of it: YAML 1.1 scalars (`0644` is 420, `yes` is true), but no dates
 * and no binary, which JSON cannot carry. What comes out is safe to walk and merge: nesting is bounded, numbers are finite,
 * and no object has a `__proto__` key. Every refusal is an `ApiError` of 400 or 415.
 */

import { parseAllDocuments, type Tags } from 'yaml';
import { ApiError, badRequest } from '../../src/api/errors.js';
import { patchTypes } from '../../src/api/patch/patch.js';
import { decodeProtobuf } from '../../src/api/protobuf/decode.js';
import type { PatchType } from '../../src/client/client.js';
import { checkYaml } from './yamlscan.js';

/** Bytes; kube-apiserver's limit for resource requests. */
export const maxBodyBytes = 3 * 1024 * 1024;

/** Deeper bodies are refused; the deepest real ones (schemas of custom resources) stay well below. */
const maxDepth = 500;

/** Below this the parser is done with any nesting at once, and the check of its result finds what is too deep. */
const scanFromBytes = 16 * 1024;

const protobufType = 'application/vnd.kubernetes.protobuf';
const mediaTypes = ['application/json', 'application/yaml', protobufType];

const patchTypesByMedia: ReadonlyMap<string, PatchType> = new Map(
  Object.entries(patchTypes).map(([type, media]) => [media, type as PatchType]),
);

const unsupported = (accepted: readonly string[]): ApiError =>
  new ApiError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );

/** The media type without parameters, in lower case; JSON when the client names none. */
function mediaType(contentType: string | undefined): string {
  if (!contentType) return 'application/json';
  const end = contentType.indexOf(';');
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

export const isJson = (contentType: string | undefined): boolean =>
  mediaType(contentType) === 'application/json';

/** `kind` names what was expected; error messages start with it. */
export function decodeBody(bytes: Buffer, contentType: string | undefined, kind: string): unknown {
  switch (mediaType(contentType)) {
    case 'application/json':
      return decodeJson(bytes, kind);
    case 'application/yaml':
    case 'application/x-yaml':
    case 'text/yaml':
      return decodeYaml(bytes, kind);
    case protobufType: {
      const object = decodeProtobuf(bytes);
      checkTree(object, 0);
      return object;
    }
    default:
      throw unsupported(mediaTypes);
  }
}

/** Throws 415 for anything but the four patch types. */
export function patchTypeOf(contentType: string | undefined): PatchType {
  const type = contentType === undefined ? undefined : patchTypesByMedia.get(mediaType(contentType));
  if (!type) throw unsupported(Object.values(patchTypes));
  return type;
}

export const decodePatch = (bytes: Buffer, type: PatchType, kind: string): unknown =>
  type === 'apply' ? decodeYaml(bytes, kind) : decodeJson(bytes, kind);

function decodeJson(bytes: Buffer, kind: string): unknown {
  if (bytes.length > scanFromBytes && isTooDeep(bytes)) throw tooDeep();
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw unreadable(kind, "couldn't get version/kind; json parse error", error, text);
  }
  checkTree(value, 0);
  return value;
}

/** Apply patches are mostly JSON, which is YAML too and parses a hundred times faster. */
function decodeYaml(bytes: Buffer, kind: string): unknown {
  const text = bytes.toString('utf8');
  if (/^\s*\{/.test(text)) {
    const json = tryJson(text);
    if (json !== undefined) {
      checkTree(json, 0);
      return json;
    }
  }
  checkYaml(text);
  const value = parseYaml(text, kind);
  checkTree(value, 0);
  return value;
}

function parseYaml(text: string, kind: string): unknown {
  const unclear = (cause: unknown): ApiError =>
    unreadable(kind, 'error converting YAML to JSON', cause, text);
  try {
    const documents = parseAllDocuments(text, yamlOptions);
    if (!Array.isArray(documents)) return undefined;
    if (documents.length > 1)
      throw badRequest('the body has several YAML documents: one request takes one object');
    const problem = documents[0]?.errors[0];
    if (problem) throw unclear(problem);
    return documents[0]?.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw error instanceof ApiError ? error : unclear(error);
  }
}

const yamlOptions = {
  version: '1.1',
  schema: 'yaml-1.1',
  prettyErrors: true,
  // The check is quadratic; of a key that occurs twice the last one counts, as with kubectl.
  uniqueKeys: false,
  logLevel: 'silent',
  resolveKnownTags: false,
  customTags: (tags: Tags) => tags.filter((tag) => typeof tag === 'string' || !isForeign(tag)),
} as const;

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** YAML 1.1 types that JSON does not have, and sexagesimal numbers, which kubectl does not read either. */
const foreignTags: ReadonlySet<string> = new Set(['binary', 'omap', 'pairs', 'set', 'timestamp']);

const isForeign = (tag: { tag: string; format?: string }): boolean =>
  tag.format === 'TIME' || foreignTags.has(tag.tag.slice(tag.tag.lastIndexOf(':') + 1));

const tooDeep = (): ApiError => badRequest(`the body is nested more than ${maxDepth} levels deep`);

const [quote, backslash] = [0x22, 0x5c];
const opens: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const closes: ReadonlySet<number> = new Set([0x5d, 0x7d]);

/** Counts brackets outside strings, before the parser spends seconds on a million of them. */
function isTooDeep(bytes: Buffer): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (inString) {
      if (byte === backslash) i++;
      else if (byte === quote) inString = false;
    } else if (byte === quote) inString = true;
    else if (opens.has(byte)) {
      depth++;
      if (depth > maxDepth) return true;
    } else if (closes.has(byte)) depth--;
  }
  return false;
}

/** Refuses what later code must not meet: bottomless nesting, infinite numbers, `__proto__` as a key. */
function checkTree(value: unknown, depth: number): void {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw badRequest('the body has a number out of range');
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  if (depth > maxDepth) throw tooDeep();
  if (Array.isArray(value)) {
    for (const item of value) checkTree(item, depth + 1);
    return;
  }
  if (Object.hasOwn(value, '__proto__'))
    throw badRequest('the body has a key "__proto__", which is not allowed');
  for (const key in value) checkTree((value as Record<string, unknown>)[key], depth + 1);
}

/** Parts of their bodies must not come back in errors, which others keep. */
const secretKinds: ReadonlySet<string> = new Set(['Secret', 'TokenRequest', 'TokenReview']);

/** The wording of kube-apiserver; the parser's own message says where, and quotes. */
function unreadable(kind: string, what: string, cause: unknown, text: string): ApiError {
  if (secretKinds.has(kind))
    return badRequest(`the object provided is unrecognized (must be of type ${kind}): ${what}`);
  const message =
    (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]?.replace(/:$/, '') ?? '';
  return badRequest(
    `the object provided is unrecognized (must be of type ${kind}): ${what}: ${message} (${summary(text)})`,
    cause,
  );
}

function summary(text: string): string {
  if (text === '') return '<empty>';
  return text.length > 30 ? `${text.slice(0, 30)} ...` : text;
}
