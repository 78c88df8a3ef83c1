/**
 * 1. The paths of OpenAPI documents: one list of operations per served kind, written out for version 2 and 3. Pure.
 *
 * kubectl reads of them which kinds it may send `fieldValidation` and `dryRun` with: the query parameters of the
 * PATCH of that kind, which must stand in the operation itself. Called by `openapi.ts`.
 */
import { patchTypes } from '../../src/api/patch/patch.js';
import type { ObjectType } from '../../src/api/schema/table.js';
import { customListType } from '../../src/api/structural/objecttype.js';
import type { Definitions, OpenApiSchema, OpenApiVersion } from './openapi-schema.js';

/** What the documents need to know of a served kind. */
export interface OpenApiRow {
  group: string;
  version: string;
  kind: string;
  /** Plural: `pods`. */
  resource: string;
  namespaced: boolean;
  subresources?: readonly string[];
  /** The only verbs, for kinds that are answered instead of stored. */
  verbs?: readonly string[] | undefined;
  /** Of custom kinds. */
  schema?: ObjectType | undefined;
  listKind?: string | undefined;
}

export interface Parameter {
  name: string;
  in: 'query' | 'path' | 'body';
  required: boolean;
  /** Version 2 has the type beside the name, version 3 in a schema; bodies have a schema in both. */
  type?: string;
  schema?: OpenApiSchema;
}

export interface Operation {
  operationId: string;
  tags: string[];
  consumes: string[];
  produces: string[];
  parameters: Parameter[];
  body: OpenApiSchema | undefined;
  responses: Record<string, { description: string; schema: OpenApiSchema | undefined }>;
  extensions: Record<`x-${string}`, unknown>;
}

export type Method = 'get' | 'put' | 'post' | 'delete' | 'patch';
export interface PathItem {
  parameters: Parameter[];
  operations: Partial<Record<Method, Operation>>;
}

/** `api/v1` or `apis/apps/v1`. */
export const groupPath = ({ group, version }: Pick<OpenApiRow, 'group' | 'version'>): string =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`;

const query = (name: string, type = 'string'): Parameter => ({ name, in: 'query', required: false, type });
const path = (name: string): Parameter => ({ name, in: 'path', required: true, type: 'string' });

const listParameters = [
  query('allowWatchBookmarks', 'boolean'),
  query('continue'),
  query('fieldSelector'),
  query('labelSelector'),
  query('limit', 'integer'),
  query('resourceVersion'),
  query('resourceVersionMatch'),
  query('sendInitialEvents', 'boolean'),
  query('timeoutSeconds', 'integer'),
  query('watch', 'boolean'),
];
const writeParameters = [query('dryRun'), query('fieldManager'), query('fieldValidation')];
const deleteParameters = [
  query('dryRun'),
  query('gracePeriodSeconds', 'integer'),
  query('orphanDependents', 'boolean'),
  query('propagationPolicy'),
];

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const groupName = ({ group, version }: OpenApiRow): string =>
  capital(group === '' ? 'core' : (group.split('.')[0] ?? '')) + capital(version);

interface Verb {
  method: Method;
  /** Begins the operation id. */
  name: string;
  action: string;
  parameters: Parameter[];
  answers: 'object' | 'list' | 'status';
  sends?: 'object' | 'options' | 'patch';
  created?: boolean;
}

const collectionVerbs: Verb[] = [
  { method: 'get', name: 'list', action: 'list', parameters: listParameters, answers: 'list' },
  {
    method: 'post',
    name: 'create',
    action: 'post',
    parameters: writeParameters,
    answers: 'object',
    sends: 'object',
    created: true,
  },
  {
    method: 'delete',
    name: 'deleteCollection',
    action: 'deletecollection',
    parameters: [...deleteParameters, ...listParameters],
    answers: 'status',
    sends: 'options',
  },
];
const statusVerbs: Verb[] = [
  { method: 'get', name: 'read', action: 'get', parameters: [], answers: 'object' },
  {
    method: 'put',
    name: 'replace',
    action: 'put',
    parameters: writeParameters,
    answers: 'object',
    sends: 'object',
    created: true,
  },
  {
    method: 'patch',
    name: 'patch',
    action: 'patch',
    parameters: [...writeParameters, query('force', 'boolean')],
    answers: 'object',
    sends: 'patch',
    created: true,
  },
];
const itemVerbs: Verb[] = [
  ...statusVerbs,
  {
    method: 'delete',
    name: 'delete',
    action: 'delete',
    parameters: deleteParameters,
    answers: 'status',
    sends: 'options',
  },
];

/** kubectl sends strategic merge patches where they are listed; custom kinds take none. */
const patchesOf = ({ schema }: OpenApiRow): string[] =>
  Object.values(patchTypes).filter((type) => !schema || type !== patchTypes.strategic);

function operation(row: OpenApiRow, verb: Verb, suffix: string, definitions: Definitions): Operation {
  const { group, version, kind, namespaced, listKind = `${kind}List` } = row;
  const list = row.schema && customListType(row, listKind, row.schema);
  const reference = {
    object: definitions.addKind({ group, version, kind }, row.schema),
    list: definitions.addKind({ group, version, kind: listKind }, list),
    status: definitions.addKind({ group: '', version: 'v1', kind: 'Status' }),
    options: definitions.addKind({ group, version, kind: 'DeleteOptions' }),
    patch: definitions.addPatch(),
  };
  const schema = reference[verb.answers];
  const name = groupName(row);
  return {
    operationId: `${verb.name}${name}${namespaced ? 'Namespaced' : ''}${kind}${suffix}`,
    tags: [name.charAt(0).toLowerCase() + name.slice(1)],
    consumes: verb.sends === 'patch' ? patchesOf(row) : ['*/*'],
    produces: ['application/json'],
    parameters: verb.parameters,
    body: verb.sends && reference[verb.sends],
    responses: {
      200: { description: 'OK', schema },
      ...(verb.created && { 201: { description: 'Created', schema } }),
      401: { description: 'Unauthorized', schema: undefined },
    },
    extensions: {
      'x-kubernetes-action': verb.action,
      'x-kubernetes-group-version-kind': { group, kind, version },
    },
  };
}

/** The paths of a kind, with the operations on each. Adds what they refer to to the definitions. */
export function pathsOf(row: OpenApiRow, definitions: Definitions): Record<string, PathItem> {
  const item = (verbs: Verb[], parameters: Parameter[], suffix = ''): PathItem => ({
    parameters,
    operations: Object.fromEntries(
      verbs.map((verb) => [verb.method, operation(row, verb, suffix, definitions)]),
    ),
  });
  const base = `/${groupPath(row)}`;
  const scope = row.namespaced ? [path('namespace')] : [];
  const collection = `${base}/${row.namespaced ? 'namespaces/{namespace}/' : ''}${row.resource}`;
  const hasStatus = row.subresources?.includes('status');
  const served = (verbs: Verb[]): Verb[] =>
    verbs.filter(({ action }) => row.verbs?.includes(action === 'post' ? 'create' : action) ?? true);
  const itemServed = served(itemVerbs);
  return {
    [collection]: item(served(collectionVerbs), scope),
    ...(itemServed.length > 0 && {
      [`${collection}/{name}`]: item(itemServed, [...scope, path('name')]),
    }),
    ...(hasStatus && {
      [`${collection}/{name}/status`]: item(statusVerbs, [...scope, path('name')], 'Status'),
    }),
  };
}

/** A parameter as it stands in a document. */
function parameterJson({ type, ...parameter }: Parameter, version: OpenApiVersion): object {
  const rest = { ...parameter, uniqueItems: version === 2 ? true : undefined };
  if (type === undefined) return parameter;
  return version === 2 ? { ...rest, type } : { ...parameter, schema: { type, uniqueItems: true } };
}

/** The body is a parameter in version 2. */
export const bodyParameter = (schema: OpenApiSchema): Parameter => ({
  name: 'body',
  in: 'body',
  required: true,
  schema,
});

function operationJson(op: Operation, version: OpenApiVersion): object {
  const { operationId, tags, consumes, produces, extensions } = op;
  const parameters = op.parameters.map((p) => parameterJson(p, version));
  const content = (types: string[], schema: OpenApiSchema) =>
    Object.fromEntries(types.map((type) => [type, { schema }]));
  const responses = Object.entries(op.responses).map(([code, { description, schema }]) => {
    const body = version === 2 ? { schema } : { content: schema && content(produces, schema) };
    return [code, { description, ...(schema && body) }];
  });
  const common = { operationId, tags, responses: Object.fromEntries(responses), ...extensions };
  if (version === 2) {
    const body = op.body ? [bodyParameter(op.body)] : [];
    return { ...common, consumes, produces, schemes: ['https'], parameters: [...body, ...parameters] };
  }
  return { ...common, parameters, ...(op.body && { requestBody: { content: content(consumes, op.body) } }) };
}

/** A path as it stands in a document. */
export function pathItemJson({ operations, parameters }: PathItem, version: OpenApiVersion): object {
  const entries = Object.entries(operations).map(([method, op]) => [method, operationJson(op, version)]);
  return { ...Object.fromEntries(entries), parameters: parameters.map((p) => parameterJson(p, version)) };
}
