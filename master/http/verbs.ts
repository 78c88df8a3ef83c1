/**
 * 1. The verbs of the API on any kind: a parsed request -> the registry -> an answer. No per-kind code.
 *
 * Called by `server.ts` after authentication and authorization. `watch`, `log` and `exec` stream and are not here.
 */
import { badRequest } from '../../src/api/errors.js';
import type { ObjectRef } from '../../src/api/meta.js';
import { duplicateFields, strictError, strictProblems } from '../../src/api/schema/strict.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Registry, Stored, WriteResult } from '../registry/registry.js';
import type { Resource } from '../resources/resource.js';
import { decodeBody, decodePatch, isJson, patchTypeOf } from './body.js';
import { subresourceKind, subresourceVerbs } from './discovery.js';
import { encodeList, encodeObject, encodeText, type Presentation } from './encode.js';
import { deleteOptions, listOptions, writeParameters } from './options.js';
import type { ResourceTarget } from './request.js';
import { scaleView } from './scale.js';
import type { RequestScope } from './scope.js';
import { deletedStatus, noSuchMethod, noSuchResource } from './status.js';

export interface Answer {
  code: number;
  body: Buffer;
}

export interface Call {
  registry: Registry;
  resource: Resource;
  target: ResourceTarget;
  scope: RequestScope;
  /** Absent or empty when the request had none. */
  body: Buffer | undefined;
  contentType: string | undefined;
  how: Presentation;
  now: Date;
}

const handlers: Readonly<Record<string, (call: Call) => Promise<Answer>>> = {
  get,
  list,
  create,
  update,
  patch,
  delete: remove,
  deletecollection: removeAll,
};

/** Throws 404 for a path that the kind does not have, 405 for a verb that the path does not allow. */
export function checkRoute(resource: Resource, target: ResourceTarget, verb: string): void {
  const { subresource, namespace, rest } = target;
  const named = isNamed(target, verb);
  if (rest.length > 0) throw noSuchResource();
  if (subresource !== '' && !resource.subresources.includes(subresource)) throw noSuchResource();
  if (resource.type.namespaced) {
    if (namespace === undefined && named) throw noSuchResource();
    if (namespace === undefined && verb !== 'list' && verb !== 'watch') throw noSuchMethod();
  } else if (namespace !== undefined && resource.type.resource !== 'namespaces') {
    throw noSuchResource();
  }
  const allowed =
    subresource === '' ? (named ? objectVerbs : collectionVerbs) : subresourceVerbs(subresource);
  if (!allowed.includes(verb) || (subresource === '' && resource.verbs?.includes(verb) === false))
    throw noSuchMethod();
}

const objectVerbs = ['get', 'update', 'patch', 'delete'];
const collectionVerbs = ['list', 'watch', 'create', 'deletecollection'];

/** Lists and watches may carry a name that came from a field selector. */
const isNamed = ({ name }: ResourceTarget, verb: string): boolean =>
  name !== undefined && !['list', 'watch'].includes(verb);

export function serveVerb(call: Call): Promise<Answer> {
  const handler = handlers[call.scope.info.verb];
  if (!handler) throw noSuchMethod();
  return handler(call);
}

function refOf({ resource, target }: Call): ObjectRef {
  const name = target.name ?? '';
  return resource.type.namespaced ? { namespace: target.namespace, name } : { name };
}

/** The namespace that lists, watches and creations are limited to. */
export const namespaceOf = (resource: Resource, target: ResourceTarget): string | undefined =>
  resource.type.namespaced ? target.namespace : undefined;

/** As decoded; a key that occurs twice is refused or warned of, as `fieldValidation` says, since decoding loses it. */
function readObject(call: Call, shape: Shape): unknown {
  const { scope, contentType } = call;
  const bytes = needBody(call);
  const body = decodeBody(bytes, contentType, shape.kind);
  scope.record?.requestBody(body);
  if (scope.fieldValidation === 'Ignore' || !isJson(contentType)) return body;
  const problems = strictProblems([], duplicateFields(bytes.toString('utf8')));
  if (problems.length === 0) return body;
  if (scope.fieldValidation === 'Strict') throw strictError(shape, problems);
  for (const problem of problems) scope.warn(problem);
  return body;
}

const subresourceOf = ({ target }: Call): string | undefined => target.subresource || undefined;

/** What rows and error messages of this path are about: a scale is no deployment. */
const viewOf = ({ resource, target }: Call): Resource =>
  target.subresource === 'scale' ? scaleView : resource;

function answer(call: Call, code: number, item: Stored): Answer {
  return { code, body: encodeObject(viewOf(call), item, call.how, call.now) };
}

type Shape = Pick<Resource['type'], 'version' | 'kind'>;

/** What a POST carries: the object, or what its subresource takes. */
const bodyShape = ({ resource, target }: Call): Shape => subresourceKind(target.subresource) ?? resource.type;

function written(call: Call, result: WriteResult<KubeObject>): Answer {
  const { name, uid } = result.object.metadata;
  // The name may have been generated.
  call.scope.record?.named({ name, uid });
  return answer(call, result.created ? 201 : 200, result);
}

async function get(call: Call): Promise<Answer> {
  return answer(
    call,
    200,
    await call.registry.get(call.resource, refOf(call), call.scope, subresourceOf(call)),
  );
}

async function list(call: Call): Promise<Answer> {
  const options = listOptions(call.scope.info.query, namespaceOf(call.resource, call.target));
  const result = await call.registry.list(call.resource, options, call.scope);
  return { code: 200, body: encodeList(call.resource, result, call.how, call.now) };
}

async function create(call: Call): Promise<Answer> {
  const { registry, resource, target, scope } = call;
  scope.apply(writeParameters('create', scope.info.query));
  const body = readObject(call, bodyShape(call));
  if (target.subresource !== '') {
    const result = await registry.post(resource, refOf(call), target.subresource, body, scope);
    return { code: 201, body: encodeText(JSON.stringify(result), call.how) };
  }
  return written(call, await registry.create(resource, namespaceOf(resource, target), body, scope));
}

async function update(call: Call): Promise<Answer> {
  const { registry, resource, scope } = call;
  scope.apply(writeParameters('update', scope.info.query));
  const body = readObject(call, viewOf(call).type);
  return written(call, await registry.update(resource, refOf(call), body, scope, subresourceOf(call)));
}

async function patch(call: Call): Promise<Answer> {
  const { registry, resource, scope } = call;
  const type = patchTypeOf(call.contentType);
  const parameters = writeParameters('patch', scope.info.query, type);
  scope.apply(parameters);
  const body = decodePatch(needBody(call), type, viewOf(call).type.kind);
  scope.record?.requestBody(body);
  const change = type === 'apply' ? { type, body, force: parameters.force } : { type, body };
  return written(call, await registry.patch(resource, refOf(call), change, scope, subresourceOf(call)));
}

async function remove(call: Call): Promise<Answer> {
  const { registry, resource, scope } = call;
  const options = readDeleteOptions(call);
  const result = await registry.delete(resource, refOf(call), options, scope);
  if (!result.gone) return answer(call, 200, result);
  const { uid, name = '' } = result.object.metadata;
  const status = deletedStatus({ name, group: resource.type.group, kind: resource.type.resource, uid });
  scope.record?.answeredStatus(status);
  return { code: 200, body: encodeText(JSON.stringify(status), call.how) };
}

async function removeAll(call: Call): Promise<Answer> {
  const { registry, resource, target, scope } = call;
  const options = readDeleteOptions(call);
  const selected = listOptions(scope.info.query, namespaceOf(resource, target));
  const result = await registry.deleteCollection(resource, selected, options, scope);
  return { code: 200, body: encodeList(resource, result, call.how, call.now) };
}

function readDeleteOptions(call: Call): ReturnType<typeof deleteOptions> {
  const { body, contentType, scope } = call;
  const decoded = body?.length ? decodeBody(body, contentType, 'DeleteOptions') : undefined;
  scope.record?.requestBody(decoded);
  const options = deleteOptions(scope.info.query, decoded);
  scope.dryRun = options.dryRun ?? false;
  scope.deletion = options;
  return options;
}

function needBody({ body, resource }: Call): Buffer {
  if (!body?.length) {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${resource.type.kind}): the request has no body (<empty>)`,
    );
  }
  return body;
}
