/**
 * PATCH: applies a patch of any of the types of the API to an object. Pure.
 *
 * Called by the registry, which decodes the result with `../schema/check.ts`, defaults and validates it as any other
 * write. The current object is never changed, and the result shares nothing with it.
 */
import jsonPatchLibrary, { type Operation } from 'fast-json-patch';
import { ApiError, badRequest } from '../errors.js';
import { builtinSchema, type GroupVersionKind } from '../schema/table.js';
import { copyOf, isMap, type JsonMap } from './json.js';
import { mergePatch } from './merge.js';
import { strategicMergePatch } from './strategic.js';
import { PatchError } from './strategic-error.js';

export const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  /** Server-side apply, which is not done here: see `../apply/`. */
  apply: 'application/apply-patch+yaml',
} as const;

/** As kube-apiserver limits them. */
const MAX_JSON_PATCH_OPERATIONS = 10_000;
/** Of all that a patch copies, as JSON: a few copies of copies are larger than any memory. */
const MAX_COPIED_CHARS = 3 * 1024 * 1024;

export interface PatchRequest {
  /** The media type, without parameters. */
  type: string;
  gvk: GroupVersionKind;
  current: object;
  /** The decoded body. */
  patch: unknown;
}

/** 422 with the generic message kube-apiserver gives for a patch that does not apply; the cause says why, of a field that
 * clients can print. */
function notApplicable(why: string, cause: unknown): ApiError {
  const message = 'the server rejected our request due to an error in our request';
  return new ApiError(
    'Invalid',
    message,
    { causes: [{ reason: 'UnexpectedServerResponse', message: why, field: 'patch' }] },
    { cause },
  );
}

function unsupported(type: string): ApiError {
  const accepted = Object.values(patchTypes).filter((known) => known !== type);
  return new ApiError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );
}

/** Why the operation cannot be done, as kube-apiserver words it where the library says less. */
function explain(error: InstanceType<typeof jsonPatchLibrary.JsonPatchError>): string {
  const operation: unknown = error.operation;
  const [why = ''] = error.message.split('\n');
  if (!isMap(operation)) return why;
  const { op, path } = operation;
  switch (error.name) {
    case 'OPERATION_PATH_UNRESOLVABLE':
    case 'OPERATION_PATH_CANNOT_ADD':
      return `${String(op)} operation does not apply: doc is missing path: "${String(path)}"`;
    case 'TEST_OPERATION_FAILED':
      return `testing value ${String(path)} failed`;
    default:
      return why;
  }
}

/** Whether a patch was refused by a `test` operation of its own: it was not meant for this object. */
export const isFailedTest = (error: unknown): boolean =>
  error instanceof ApiError &&
  error.cause instanceof jsonPatchLibrary.JsonPatchError &&
  error.cause.name === 'TEST_OPERATION_FAILED';

/** RFC 6902. Throws `ApiError`: 400 for what is no JSON patch, 422 for one that does not apply. */
export function jsonPatch(current: object, patch: unknown): unknown {
  if (!Array.isArray(patch)) {
    throw badRequest(
      'error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch',
    );
  }
  if (patch.length > MAX_JSON_PATCH_OPERATIONS) {
    throw new ApiError(
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${MAX_JSON_PATCH_OPERATIONS}, got ${patch.length}`,
    );
  }
  try {
    return applyOperations(copyOf(current), copyOf<Operation[]>(patch));
  } catch (error) {
    if (error instanceof jsonPatchLibrary.JsonPatchError) throw notApplicable(explain(error), error);
    throw notApplicable(error instanceof Error ? error.message : String(error), error);
  }
}

/** Undefined when nothing is there. */
const valueAt = (document: unknown, pointer: string): unknown =>
  pointer
    .split('/')
    .slice(1)
    .map(jsonPatchLibrary.unescapePathComponent)
    .reduce<unknown>((value, step) => (value as JsonMap | null | undefined)?.[step], document);

/** In order, and no further than what they copy is reasonable, as kube-apiserver bounds it. */
function applyOperations(current: unknown, operations: readonly Operation[]): unknown {
  let document = current;
  let copied = 0;
  operations.forEach((operation, index) => {
    if (isMap(operation) && operation.op === 'copy') {
      copied += (JSON.stringify(valueAt(document, String(operation.from))) ?? '').length;
      if (copied > MAX_COPIED_CHARS)
        throw new Error(
          `Unable to complete the copy, the accumulated size increase of copy is ${copied}, exceeding the limit ${MAX_COPIED_CHARS}`,
        );
    }
    document = jsonPatchLibrary.applyOperation<unknown>(
      document,
      operation,
      true,
      true,
      true,
      index,
    ).newDocument;
  });
  return document;
}

function strategic({ gvk, current, patch }: PatchRequest): unknown {
  const type = builtinSchema.typeOf(gvk);
  if (!type) throw unsupported(patchTypes.strategic);
  if (!isMap(patch)) throw badRequest('invalid JSON document');
  try {
    return strategicMergePatch(type, current as JsonMap, patch);
  } catch (error) {
    if (error instanceof PatchError) throw badRequest(error.message, error);
    throw error;
  }
}

function apply(request: PatchRequest): unknown {
  switch (request.type) {
    case patchTypes.json:
      return jsonPatch(request.current, request.patch);
    case patchTypes.merge:
      if (!isMap(request.patch)) throw badRequest('invalid JSON document');
      return mergePatch(request.current, request.patch);
    case patchTypes.strategic:
      return strategic(request);
    default:
      throw unsupported(request.type);
  }
}

/**
 * The patched object, not yet decoded: unknown fields and wrong types may be in it. Throws `ApiError`: 400 for a
 * malformed patch, 415 for a media type that is not served, 422 for a patch that does not fit the object.
 */
export function applyPatch(request: PatchRequest): JsonMap {
  const result = apply(request);
  if (isMap(result)) return result;
  throw notApplicable('the patch replaces the object by a value that is none', undefined);
}
