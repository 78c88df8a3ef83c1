/**
 * 1. Query parameters and DeleteOptions bodies -> the options of `src/client/client.ts`, checked and worded as
 * kube-apiserver does: a value that does not parse is 400, one that is not allowed is 422 naming the field. Pure.
 */
import { type ApiError, badRequest, type FieldError, invalid } from '../../src/api/errors.js';
import type { DeleteOptions, ListOptions, PatchType, WatchOptions } from '../../src/client/client.js';
import { isTrue } from './request.js';

/** Query parameters of create, update and patch. */
export interface WriteParameters {
  dryRun: boolean;
  fieldManager: string | undefined;
  fieldValidation: 'Ignore' | 'Warn' | 'Strict';
  force: boolean;
}

const notSupported = (field: string, value: unknown, supported: readonly string[]): FieldError => ({
  type: 'NotSupported',
  field,
  value,
  detail: `supported values: ${supported.map((s) => JSON.stringify(s)).join(', ')}`,
});

const forbiddenField = (field: string, detail: string): FieldError => ({ type: 'Forbidden', field, detail });

function check(kind: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind, name: '' }, errors);
}

/** A 64-bit integer; JSON numbers are exact up to 2^53, which no option needs to exceed. */
function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^[+-]?\d+$/.test(text))
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
  return value;
}

function checkDryRun(values: readonly string[]): FieldError[] {
  return values.every((value) => value === 'All') ? [] : [notSupported('dryRun', values, ['All'])];
}

const textFields = ['labelSelector', 'fieldSelector', 'continue', 'resourceVersion'] as const;

/** Of list and deletecollection. */
export function listOptions(query: URLSearchParams, namespace: string | undefined): ListOptions {
  const options: ListOptions = { namespace };
  if (query.size === 0) return options;
  readCommon(query, options);
  const match = query.get('resourceVersionMatch') ?? '';
  const errors: FieldError[] = [];
  if (match !== '') {
    if (!options.resourceVersion) {
      errors.push(
        forbiddenField(
          'resourceVersionMatch',
          'resourceVersionMatch is forbidden unless resourceVersion is provided',
        ),
      );
    }
    if (options.continue) {
      errors.push(
        forbiddenField('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'),
      );
    }
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      errors.push(notSupported('resourceVersionMatch', match, ['Exact', 'NotOlderThan', '']));
    } else if (match === 'Exact' && options.resourceVersion === '0') {
      errors.push(
        forbiddenField(
          'resourceVersionMatch',
          'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
        ),
      );
    } else {
      options.resourceVersionMatch = match;
    }
  }
  if (query.has('sendInitialEvents')) {
    errors.push(forbiddenField('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  }
  check('ListOptions', errors);
  return options;
}

export function watchOptions(query: URLSearchParams, namespace: string | undefined): WatchOptions {
  const options: WatchOptions = { namespace };
  readCommon(query, options);
  const match = query.get('resourceVersionMatch') ?? '';
  const initial = query.has('sendInitialEvents');
  const errors: FieldError[] = [];
  if (initial && match !== 'NotOlderThan') {
    errors.push(
      forbiddenField(
        'resourceVersionMatch',
        'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      ),
    );
  }
  if (match !== '') {
    if (!initial) {
      errors.push(
        forbiddenField(
          'resourceVersionMatch',
          'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
        ),
      );
    }
    if (match !== 'NotOlderThan') errors.push(notSupported('resourceVersionMatch', match, ['NotOlderThan']));
    else options.resourceVersionMatch = match;
    if (options.continue) {
      errors.push(
        forbiddenField('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'),
      );
    }
  }
  check('ListOptions', errors);
  if (isTrue(query, 'allowWatchBookmarks')) options.allowBookmarks = true;
  if (initial) options.sendInitialEvents = isTrue(query, 'sendInitialEvents');
  const timeout = integer(query, 'timeoutSeconds');
  if (timeout !== undefined && timeout > 0) options.timeoutSeconds = timeout;
  return options;
}

function readCommon(query: URLSearchParams, options: ListOptions): void {
  for (const field of textFields) {
    const value = query.get(field);
    if (value) options[field] = value;
  }
  const limit = integer(query, 'limit');
  if (limit !== undefined && limit > 0) options.limit = limit;
}

const writeKinds = { create: 'CreateOptions', update: 'UpdateOptions', patch: 'PatchOptions' } as const;
const validations = ['', 'Ignore', 'Strict', 'Warn'];
const maxManagerLength = 128;
const noParameters: WriteParameters = {
  dryRun: false,
  fieldManager: undefined,
  fieldValidation: 'Warn',
  force: false,
};

/** `patch` says which kind of patch: only `apply` may force, and it must name its manager. */
export function writeParameters(
  verb: keyof typeof writeKinds,
  query: URLSearchParams,
  patch?: PatchType,
): WriteParameters {
  if (query.size === 0 && patch !== 'apply') return noParameters;
  const errors: FieldError[] = [];
  const manager = query.get('fieldManager') ?? '';
  if (patch === 'apply' && manager === '') {
    errors.push({ type: 'Required', field: 'fieldManager', detail: 'is required for apply patch' });
  }
  if (patch && patch !== 'apply' && query.has('force')) {
    errors.push(forbiddenField('force', 'may not be specified for non-apply patch'));
  }
  if (Buffer.byteLength(manager) > maxManagerLength) {
    errors.push({
      type: 'TooLong',
      field: 'fieldManager',
      detail: `may not be more than ${maxManagerLength} bytes`,
    });
  }
  const control = /[\p{C}\p{Zl}\p{Zp}]/u.exec(manager);
  if (control) {
    const point = (control[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    errors.push({
      type: 'Invalid',
      field: 'fieldManager',
      value: manager,
      detail: `invalid character U+${point} (at position ${control.index})`,
    });
  }
  const dryRun = query.getAll('dryRun');
  errors.push(...checkDryRun(dryRun));
  const validation = query.get('fieldValidation') ?? '';
  if (!validations.includes(validation))
    errors.push(notSupported('fieldValidation', validation, validations));
  check(writeKinds[verb], errors);
  return {
    dryRun: dryRun.length > 0,
    fieldManager: manager || undefined,
    fieldValidation: (validation || 'Warn') as WriteParameters['fieldValidation'],
    force: isTrue(query, 'force'),
  };
}

const policies = ['Foreground', 'Background', 'Orphan'] as const;

/** A body, when there is one, replaces the query parameters entirely, as in kube-apiserver. */
export function deleteOptions(query: URLSearchParams, body: unknown): DeleteOptions {
  const source = body === undefined ? fromQuery(query) : fromBody(body);
  const { propagationPolicy: policy, orphanDependents, dryRun } = source;
  const errors: FieldError[] = [];
  if (policy !== undefined && orphanDependents !== undefined) {
    const detail = 'orphanDependents and deletionPropagation cannot be both set';
    errors.push({ type: 'Invalid', field: 'propagationPolicy', value: policy, detail });
  }
  if (policy !== undefined && !policies.includes(policy as (typeof policies)[number])) {
    errors.push(notSupported('propagationPolicy', policy, [...policies, 'nil']));
  }
  errors.push(...checkDryRun(dryRun));
  check('DeleteOptions', errors);
  const options: DeleteOptions = {};
  if (source.gracePeriodSeconds !== undefined) options.gracePeriodSeconds = source.gracePeriodSeconds;
  if (source.preconditions) options.preconditions = source.preconditions;
  if (policy !== undefined) options.propagationPolicy = policy as (typeof policies)[number];
  else if (orphanDependents !== undefined)
    options.propagationPolicy = orphanDependents ? 'Orphan' : 'Background';
  if (dryRun.length > 0) options.dryRun = true;
  return options;
}

interface RawDeleteOptions {
  gracePeriodSeconds: number | undefined;
  orphanDependents: boolean | undefined;
  propagationPolicy: string | undefined;
  preconditions: { uid?: string; resourceVersion?: string } | undefined;
  dryRun: readonly string[];
}

function fromQuery(query: URLSearchParams): RawDeleteOptions {
  return {
    gracePeriodSeconds: integer(query, 'gracePeriodSeconds'),
    orphanDependents: query.has('orphanDependents') ? isTrue(query, 'orphanDependents') : undefined,
    propagationPolicy: query.get('propagationPolicy') ?? undefined,
    preconditions: undefined,
    dryRun: query.getAll('dryRun'),
  };
}

function fromBody(body: unknown): RawDeleteOptions {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw badRequest('decoded object cannot be converted to DeleteOptions');
  }
  const fields = body as Record<string, unknown>;
  if (fields['kind'] !== undefined && fields['kind'] !== '' && fields['kind'] !== 'DeleteOptions') {
    throw badRequest('decoded object cannot be converted to DeleteOptions');
  }
  const preconditions = typed(fields, 'preconditions', 'object') as Record<string, unknown> | undefined;
  const uid = preconditions && typed(preconditions, 'uid', 'string');
  const resourceVersion = preconditions && typed(preconditions, 'resourceVersion', 'string');
  const grace = typed(fields, 'gracePeriodSeconds', 'number');
  if (grace !== undefined && !Number.isSafeInteger(grace)) throw wrongType('gracePeriodSeconds', 'number');
  const dryRun = fields['dryRun'] ?? [];
  if (!Array.isArray(dryRun) || dryRun.some((value) => typeof value !== 'string'))
    throw wrongType('dryRun', 'list of strings');
  return {
    gracePeriodSeconds: grace,
    orphanDependents: typed(fields, 'orphanDependents', 'boolean'),
    propagationPolicy: typed(fields, 'propagationPolicy', 'string'),
    preconditions: preconditions && { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) },
    dryRun,
  };
}

interface JsonTypes {
  string: string;
  number: number;
  boolean: boolean;
  object: object;
}

function typed<K extends keyof JsonTypes>(
  fields: Record<string, unknown>,
  name: string,
  type: K,
): JsonTypes[K] | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== type || Array.isArray(value)) throw wrongType(name, type);
  return value as JsonTypes[K];
}

const wrongType = (field: string, type: string): ApiError =>
  badRequest(
    `DeleteOptions in version "v1" cannot be handled as a DeleteOptions: the field ${field} must be a ${type}`,
  );
