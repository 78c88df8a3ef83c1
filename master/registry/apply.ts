/**
 * 2. Server-side apply: PATCH with what a manager wants to own. What does not exist yet is created.
 */
import { apply } from '../../src/api/apply/apply.js';
import { misfitsOf, misfitsText } from '../../src/api/apply/configuration.js';
import { ApplyConflict } from '../../src/api/apply/conflict.js';
import { FieldsError } from '../../src/api/apply/fields.js';
import { managedText, readManaged } from '../../src/api/apply/managed.js';
import { typeNames } from '../../src/api/apply/untracked.js';
import { badRequest, conflict, isReason, staleVersion } from '../../src/api/errors.js';
import { apiVersionOf } from '../../src/api/kinds.js';
import type { ObjectRef } from '../../src/api/meta.js';
import type { KubeObject, Scale } from '../../src/api/types.js';
import type { Patch } from '../../src/client/client.js';
import { toTime } from '../../src/host/clock.js';
import type { Resource } from '../resources/resource.js';
import { nameText, type Reading, readAs } from './body.js';
import { copyJson, managedOf } from './codec.js';
import { create } from './create.js';
import { type Environment, subjectOf } from './environment.js';
import { ownerOf, shapeOfRow, skippedOf, versionsOf, type Writer } from './managed.js';
import { modify } from './modify.js';
import type { RequestContext, Stored, WriteResult } from './registry.js';
import { applyScale, scaleType, scaleView } from './scale.js';
import { changeOf } from './update.js';
import { fromStoredVersion, toStoredVersion } from './views.js';

/** Rejects like an update, with `Conflict` for fields that others own, and `BadRequest` for what cannot be applied. */
export async function serverSideApply<T extends KubeObject>(
  env: Environment,
  requested: Resource<T>,
  ref: ObjectRef,
  { body, force }: Pick<Patch, 'body' | 'force'>,
  writer: Writer,
): Promise<WriteResult<T>> {
  const request: Request<T> = { env, requested, ref, writer, force: force ?? false, config: asConfig(body) };
  checkConfig(request);
  const { context, subresource } = writer;
  const writes = subresource === 'scale' ? { context, subresource: undefined } : writer;
  let owners: string | undefined;
  for (let isSecond = false; ; isSecond = true) {
    try {
      return await modify(env, requested, ref, context, {
        ...changeOf(env, requested, writes, async (old, stored) => {
          const result = await applied(request, await fromStoredVersion(requested, old), stored);
          owners = result.owners;
          // Defaults are filled in in place: what is stored must not be touched.
          return result.object ? toStoredVersion(requested, result.object) : (copyJson(old) as T);
        }),
        owners: () => owners,
      });
    } catch (error) {
      if (subresource !== undefined || !isReason(error, 'NotFound')) throw error;
      const made = await createApplied(request, isSecond);
      if (made) return made;
    }
  }
}

/** Applies a Scale: what it says of replicas is applied to the object itself. Answers the view of the result. */
export async function applyToScale<T extends KubeObject>(
  env: Environment,
  requested: Resource<T>,
  ref: ObjectRef,
  { body, force }: Pick<Patch, 'body' | 'force'>,
  context: RequestContext,
): Promise<WriteResult<T>> {
  const { apiVersion, kind, metadata, spec } = asConfig(body) as Scale;
  if (apiVersion !== apiVersionOf(scaleType) || kind !== scaleType.kind)
    throw badRequest(`invalid object type: ${kindText(nameText(apiVersion), nameText(kind))}`);
  const empty = { apiVersion: apiVersionOf(requested.type), kind: requested.type.kind, metadata: {} } as T;
  const scale = { apiVersion, kind, metadata: {}, spec } as Scale;
  const config = {
    ...(spec?.replicas === undefined ? empty : applyScale(requested, empty, scale)),
    metadata: metadata ?? {},
  };
  const change = { body: config, ...(force !== undefined && { force }) };
  const result = await serverSideApply(env, requested, ref, change, { context, subresource: 'scale' });
  return { ...scaleView(requested, result), created: false } as unknown as WriteResult<T>;
}

interface Request<T extends KubeObject> {
  env: Environment;
  requested: Resource<T>;
  ref: ObjectRef;
  writer: Writer;
  force: boolean;
  config: KubeObject;
}

function asConfig(body: unknown): KubeObject {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw badRequest(
      'error decoding YAML: json: cannot unmarshal the body into Go value of type map[string]interface {}',
    );
  }
  return body as KubeObject;
}

/** The text of Go for a kind. */
const kindText = (apiVersion: string, kind: string): string =>
  `${apiVersion.includes('/') ? '' : '/'}${apiVersion}, Kind=${kind}`;

function checkConfig<T extends KubeObject>({ requested, config }: Request<T>): void {
  const expected = apiVersionOf(requested.type);
  const { apiVersion, kind, metadata } = config;
  const given = kindText(nameText(apiVersion), nameText(kind));
  if (apiVersion !== expected || kind !== requested.type.kind)
    throw badRequest(`invalid object type: ${given}`);
  if ((metadata?.managedFields ?? undefined) !== undefined)
    throw badRequest('metadata.managedFields must be nil');
  const shape = shapeOfRow(requested as Resource<never>);
  const misfits = shape ? misfitsOf(shape, config) : [];
  if (misfits.length === 0) return;
  const subject = `${nameText(metadata?.namespace ?? '')}/${nameText(metadata?.name ?? '')}; ${given}`;
  throw badRequest(`failed to create typed patch object (${subject}): ${misfitsText(misfits)}`);
}

/** `live` and the result in the version of the request; the result is undefined where nothing changes. */
async function applied<T extends KubeObject>(
  { env, requested, writer, force, config }: Request<T>,
  live: object,
  stored: Stored<T> | undefined,
): Promise<{ object: T | undefined; owners: string | undefined }> {
  const row = requested as Resource<never>;
  try {
    const { object, entries } = await apply({
      ...{ live, config, force, entries: readManaged(stored && managedOf(stored.bytes)) },
      owner: ownerOf(row, writer, 'Apply'),
      time: toTime(env.clock.now()),
      versions: versionsOf(env, requested),
      skip: skipped(row, writer, config),
    });
    const made = object && (readAs(requested.type, copyJson(object), owning, requested.schema) as T);
    return { object: made, owners: managedText(entries) };
  } catch (error) {
    if (error instanceof ApplyConflict) throw error.toApiError();
    if (error instanceof FieldsError) throw badRequest(`failed to apply: ${error.message}`, error);
    throw error;
  }
}

/** What was merged is nobody else's. */
const owning: Reading = { fieldValidation: 'Ignore', ownsBody: true, warn: () => undefined };

/** Who applies to a subresource owns nothing of the rest. */
function skipped(row: Resource<never>, { subresource }: Writer, config: KubeObject): ReadonlySet<string> {
  if (subresource === undefined || subresource === 'scale') return skippedOf(row);
  return subresource === 'status'
    ? new Set([...typeNames, ...Object.keys(config).filter((name) => name !== 'status')])
    : typeNames;
}

/** `undefined` when somebody else was faster, the first time. */
async function createApplied<T extends KubeObject>(
  request: Request<T>,
  isSecond: boolean,
): Promise<WriteResult<T> | undefined> {
  const { env, requested, ref, writer, config } = request;
  const { metadata } = config;
  const subject = subjectOf(requested, ref.name);
  if (metadata?.uid) {
    const why = `uid mismatch: the provided object specified uid ${metadata.uid}, and no existing object was found`;
    throw conflict(subject, why);
  }
  if (metadata?.resourceVersion) throw staleVersion(subject);
  if (metadata?.name && metadata.name !== ref.name) {
    throw badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${ref.name})`,
    );
  }
  await writer.context.mayCreate?.();
  const { object, owners } = await applied(
    request,
    { apiVersion: config.apiVersion, kind: config.kind },
    undefined,
  );
  const body = { ...(object ?? config), metadata: { ...(object ?? config).metadata, name: ref.name } };
  try {
    return await create(env, requested, ref.namespace, body, writer.context, { owners });
  } catch (error) {
    if (isSecond || !isReason(error, 'AlreadyExists')) throw error;
    return undefined;
  }
}
