/**
 * 2. AdmissionReview, both ways: what a webhook is told, and what its answer means. Pure. Versions v1 and v1beta1 of
 * admission.k8s.io differ in how strictly the answer is read.
 */

import type { Status } from '../../src/api/errors.js';
import type { ResourceType } from '../../src/api/kinds.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';
import type { Subject, Versioned } from './subject.js';

export type ReviewVersion = 'v1' | 'v1beta1';

export interface ReviewResponse {
  allowed: boolean;
  /** RFC 6902 operations; none when the webhook changes nothing. */
  patch: readonly unknown[];
  status: Partial<Status> | undefined;
  warnings: readonly string[];
  auditAnnotations: Readonly<Record<string, string>>;
}

/** An answer that is none; its message continues `received invalid webhook response: `. */
export class InvalidReview extends Error {}

/** A patch that cannot be read; its message continues `received undecodable patch in webhook response: `. */
export class InvalidPatch extends Error {}

/** The first of the versions a webhook prefers that we speak. */
export const reviewVersionOf = (versions: readonly string[]): ReviewVersion | undefined =>
  versions.find((version): version is ReviewVersion => version === 'v1' || version === 'v1beta1');

const kindOf = ({ group, version, kind }: ResourceType) => ({ group, version, kind });
const resourceOf = ({ group, version, resource }: ResourceType) => ({ group, version, resource });

const optionsKinds = {
  CREATE: 'CreateOptions',
  UPDATE: 'UpdateOptions',
  DELETE: 'DeleteOptions',
  CONNECT: undefined,
} as const;

/** `request` of a review and the CEL variable of the same name, without the objects; `row` is the version that is shown. */
export function reviewRequest(subject: Subject, row: Resource, shown: Versioned): Record<string, unknown> {
  const { request, operation, subresource, name, namespace } = subject;
  const { user, dryRun } = request.context;
  const body = shown.object ?? shown.oldObject;
  const isOther = body?.kind !== undefined && subresource !== '' && body.kind !== row.type.kind;
  const kind = isOther ? kindOfObject(body) : kindOf(row.type);
  const optionsKind = optionsKinds[operation];
  return {
    kind,
    resource: resourceOf(row.type),
    ...(subresource && { subResource: subresource }),
    requestKind: isOther ? kind : kindOf(request.resource.type),
    requestResource: resourceOf(request.resource.type),
    ...(subresource && { requestSubResource: subresource }),
    ...(name && { name }),
    ...(namespace && { namespace }),
    operation,
    userInfo: {
      username: user.name,
      ...(user.uid && { uid: user.uid }),
      ...(user.groups.length > 0 && { groups: user.groups }),
      ...(user.extra && { extra: user.extra }),
    },
    dryRun,
    options: optionsKind
      ? { kind: optionsKind, apiVersion: 'meta.k8s.io/v1', ...request.options }
      : (request.options ?? null),
  };
}

function kindOfObject({ apiVersion = '', kind = '' }: KubeObject) {
  const slash = apiVersion.indexOf('/');
  return { group: slash < 0 ? '' : apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1), kind };
}

export function createReview(
  version: ReviewVersion,
  uid: string,
  subject: Subject,
  row: Resource,
  shown: Versioned,
): object {
  const { options, ...request } = reviewRequest(subject, row, shown);
  return {
    kind: 'AdmissionReview',
    apiVersion: `admission.k8s.io/${version}`,
    request: {
      uid,
      ...request,
      object: shown.object ?? null,
      oldObject: shown.oldObject ?? null,
      options,
    },
  };
}

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Throws `InvalidReview` or `InvalidPatch`. */
export function readReview(
  answer: unknown,
  expected: { version: ReviewVersion; uid: string; isMutating: boolean },
): ReviewResponse {
  const { version, uid, isMutating } = expected;
  const response = isFields(answer) ? answer['response'] : undefined;
  if (!isFields(answer) || !isFields(response)) throw new InvalidReview('webhook response was absent');
  if (version === 'v1') checkStrictly(answer, response, uid, isMutating);
  return {
    allowed: response['allowed'] === true,
    patch: isMutating ? patchOf(response) : [],
    status: statusOf(response['status']),
    warnings: textsOf(response['warnings']),
    auditAnnotations: Object.fromEntries(
      Object.entries(isFields(response['auditAnnotations']) ? response['auditAnnotations'] : {}).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      ),
    ),
  };
}

/** What clients are shown of it, each of its own type; null counts as absent. Throws `InvalidReview` for another type. */
function statusOf(given: unknown): Partial<Status> | undefined {
  if (given === undefined || given === null) return undefined;
  const status = typed('response.status', given, { message: 'string', reason: 'string', code: 'number' });
  const { details: all } = given as Fields;
  if (all === undefined || all === null) return status;
  const { causes } = isFields(all) ? all : {};
  const details = typed('response.status.details', all, {
    ...{ name: 'string', group: 'string', kind: 'string', uid: 'string', retryAfterSeconds: 'number' },
  });
  if (causes === undefined || causes === null) return { ...status, details };
  if (!Array.isArray(causes)) throw new InvalidReview('response.status.details.causes is no list');
  const texts = { reason: 'string', message: 'string', field: 'string' };
  return {
    ...status,
    details: { ...details, causes: causes.map((cause) => typed('a cause', cause, texts)) },
  };
}

/** Those of the fields that are there. */
function typed(what: string, given: unknown, types: Readonly<Record<string, string>>): Fields {
  if (!isFields(given)) throw new InvalidReview(`${what} is no object`);
  const found = Object.keys(types).filter((key) => given[key] !== undefined && given[key] !== null);
  const wrong = found.find((key) => typeof given[key] !== types[key]);
  if (wrong !== undefined) throw new InvalidReview(`${what}.${wrong} is no ${types[wrong]}`);
  return Object.fromEntries(found.map((key) => [key, given[key]]));
}

/** What v1 asks of an answer. */
function checkStrictly(answer: Fields, response: Fields, uid: string, isMutating: boolean): void {
  const quoted = (value: unknown): string => JSON.stringify(typeof value === 'string' ? value : '');
  if (response['uid'] !== uid) {
    throw new InvalidReview(`expected response.uid=${quoted(uid)}, got ${quoted(response['uid'])}`);
  }
  const { kind = '', apiVersion = '' } = answer as { kind?: string; apiVersion?: string };
  if (kind !== 'AdmissionReview' || apiVersion !== 'admission.k8s.io/v1') {
    const expected = 'admission.k8s.io/v1, Kind=AdmissionReview';
    throw new InvalidReview(`expected webhook response of ${expected}, got ${apiVersion}, Kind=${kind}`);
  }
  const hasPatch = Boolean(response['patch']);
  const { patchType } = response;
  if (!isMutating) {
    if (hasPatch) throw new InvalidReview('validating webhook may not return response.patch');
    if (patchType !== undefined && patchType !== null)
      throw new InvalidReview('validating webhook may not return response.patchType');
    return;
  }
  const hasType = patchType !== undefined && patchType !== null;
  if (hasPatch && !hasType)
    throw new InvalidReview('webhook returned response.patch but not response.patchType');
  if (!hasPatch && hasType)
    throw new InvalidReview('webhook returned response.patchType but not response.patch');
  if (patchType === '') throw new InvalidReview('webhook returned invalid response.patchType of ""');
}

function patchOf(response: Fields): readonly unknown[] {
  const { patch, patchType } = response;
  if (typeof patch !== 'string' || patch === '') return [];
  if (typeof patchType === 'string' && patchType !== 'JSONPatch')
    throw new InvalidPatch(`unsupported patch type ${JSON.stringify(patchType)}`);
  let decoded: unknown;
  try {
    decoded = JSON.parse(Buffer.from(patch, 'base64').toString('utf8'));
  } catch (error) {
    throw new InvalidPatch((error as Error).message, { cause: error });
  }
  if (decoded === null) return [];
  if (!Array.isArray(decoded)) throw new InvalidPatch('the patch is no list of operations');
  return decoded;
}

const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
