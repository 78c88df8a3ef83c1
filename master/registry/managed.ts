/**
 * 2. Who owns which fields of an object, kept up to date by every create and update. Called by the write path; the rules
 * are in `src/api/apply/`.
 *
 * Objects that nobody tracks (their managedFields were reset) stay so until somebody applies to them.
 */
import { changesBetween } from '../../src/api/apply/apply.js';
import { compare } from '../../src/api/apply/compare.js';
import { createdText } from '../../src/api/apply/created.js';
import { FieldsError } from '../../src/api/apply/fields.js';
import {
  decodeManaged,
  type Entry,
  entryText,
  isReset,
  managedText,
  type Owner,
  readManaged,
} from '../../src/api/apply/managed.js';
import { type StructShape, shapeOf } from '../../src/api/apply/shape.js';
import { trackUpdate, type Versions } from '../../src/api/apply/track.js';
import { typeNames } from '../../src/api/apply/untracked.js';
import { apiVersionOf } from '../../src/api/kinds.js';
import { builtinSchema } from '../../src/api/schema/table.js';
import type { KubeObject } from '../../src/api/types.js';
import { toTime } from '../../src/host/clock.js';
import type { Resource } from '../resources/resource.js';
import { managedOf } from './codec.js';
import type { Environment } from './environment.js';
import type { RequestContext, Stored } from './registry.js';
import { fromStoredVersion, storedRow, toStoredVersion } from './views.js';

/** What is to be written in place of `stored`; both in the storing version. */
export interface OwnedWrite<T extends KubeObject> {
  stored: Stored<T>;
  next: T;
  /** What the request said of owners, if it did. */
  managedFields: unknown;
}

export interface Writer {
  context: RequestContext;
  subresource: string | undefined;
}

const maxManagerLength = 128;

export const ownerOf = (
  requested: Resource<never>,
  { context, subresource }: Writer,
  operation: Owner['operation'],
): Owner => ({
  manager: context.fieldManager.slice(0, maxManagerLength) || 'unknown',
  operation,
  apiVersion: apiVersionOf(requested.type),
  subresource,
});

/** `undefined` for kinds whose schema is not known. */
export function shapeOfRow({ type, schema }: Resource<never>): StructShape | undefined {
  const known = schema ?? builtinSchema.typeOf(type);
  return known && shapeOf(known);
}

const withStatus: ReadonlySet<string> = new Set([...typeNames, 'status']);

/** What of an object is not the writer's of the object itself. */
export const skippedOf = (resource: Resource<never>): ReadonlySet<string> =>
  resource.subresources.includes('status') ? withStatus : typeNames;

/** The versions in which the objects of a row can be had. */
export function versionsOf<T extends KubeObject>(env: Environment, requested: Resource<T>): Versions {
  const stored: unknown = storedRow(requested);
  const rowOf = (apiVersion: string): Resource<T> | undefined => {
    const [version = '', group = ''] = apiVersion.split('/').reverse();
    const row: unknown = env.resources.at(group, version, requested.type.resource);
    return row && storedRow(row as Resource<T>) === stored ? (row as Resource<T>) : undefined;
  };
  return {
    shape: (apiVersion) => {
      const row = rowOf(apiVersion);
      return row && shapeOfRow(row as Resource<never>);
    },
    convert: (object, apiVersion) => {
      const given = object as T;
      if (given.apiVersion === apiVersion) return given;
      return converted(rowOf(given.apiVersion ?? ''), rowOf(apiVersion), given);
    },
  };
}

async function converted<T extends KubeObject>(
  from: Resource<T> | undefined,
  to: Resource<T> | undefined,
  object: T,
): Promise<T> {
  if (!from || !to) throw new TypeError('a version that is not served');
  return fromStoredVersion(to, await toStoredVersion(from, object));
}

/** The owners of an object that is created: the creator of all it sent. */
export function ownersOfNew<T extends KubeObject>(
  env: Environment,
  requested: Resource<T>,
  object: T,
  context: RequestContext,
): string | undefined | Promise<string | undefined> {
  if (requested.view)
    return Promise.resolve(fromStoredVersion(requested, object)).then((shown) =>
      newOwners(env, requested, shown, context),
    );
  return newOwners(env, requested, object, context);
}

function newOwners<T extends KubeObject>(
  env: Environment,
  requested: Resource<T>,
  object: T,
  context: RequestContext,
): string | undefined {
  const row = requested as Resource<never>;
  const shape = shapeOfRow(row);
  if (!shape) return undefined;
  const owner = ownerOf(row, { context, subresource: undefined }, 'Update');
  const time = toTime(env.clock.now());
  return orNobody(() => {
    const given = sentEntries(object.metadata.managedFields);
    if (!given) {
      const fields = createdText(shape, object, skippedOf(row));
      return fields === '{}' ? undefined : `[${entryText({ ...owner, time }, fields)}]`;
    }
    const changes = compare(shape, {}, object, skippedOf(row));
    const versions = versionsOf(env, requested);
    return managedText(trackUpdate(given, { owner, time, versions, changesIn: () => changes }));
  });
}

/** The owners after an update, by PUT or PATCH, of the object or one of its subresources. */
export function ownersOfUpdate<T extends KubeObject>(
  env: Environment,
  requested: Resource<T>,
  { stored, next, managedFields }: OwnedWrite<T>,
  writer: Writer,
): string | undefined | Promise<string | undefined> {
  const row = requested as Resource<never>;
  const text = managedOf(stored.bytes);
  const isSent = managedFields !== undefined && writer.subresource === undefined;
  if (isSent && isReset(managedFields)) return undefined;
  const sent = isSent && JSON.stringify(managedFields) !== text ? sentEntries(managedFields) : undefined;
  const before = sent ?? readManaged(text);
  if (before.length === 0) return undefined;
  const owner = ownerOf(row, writer, 'Update');
  const time = toTime(env.clock.now());
  if (requested.view || before.some(({ apiVersion }) => apiVersion !== owner.apiVersion)) {
    const versions = versionsOf(env, requested);
    const entries = [...before, { ...owner, time, fields: {} }];
    const skip = skippedIn(row, writer);
    return changesBetween(stored.object, next, { entries, versions, skip }).then((changesIn) =>
      orNobody(() => managedText(trackUpdate(before, { owner, time, versions, changesIn }))),
    );
  }
  const shape = shapeOfRow(row);
  if (!shape) return undefined;
  return orNobody(() => {
    const changes = compare(shape, stored.object, next, skippedIn(row, writer));
    const isUntouched = isNone(changes.written) && isNone(changes.removed);
    if (isUntouched) return sent ? managedText(before) : text;
    const alone = { shape: () => shape };
    return managedText(trackUpdate(before, { owner, time, versions: alone, changesIn: () => changes }));
  });
}

const isNone = (fields: object): boolean => Object.keys(fields).length === 0;

/** A writer of `/status` may change it; what else a write to a subresource changes is its own, too. */
const skippedIn = (row: Resource<never>, { subresource }: Writer): ReadonlySet<string> =>
  subresource === undefined || subresource === 'scale' ? skippedOf(row) : typeNames;

/** The entries of a request; `undefined` when it has none that can be read, as if it had said nothing. */
function sentEntries(list: unknown): Entry[] | undefined {
  if (list === undefined || isReset(list)) return undefined;
  try {
    const entries = decodeManaged(list);
    return entries.length > 0 ? entries : undefined;
  } catch (error) {
    if (error instanceof FieldsError) return undefined;
    throw error;
  }
}

/** Lists whose items cannot be told apart make an object that nobody tracks. */
function orNobody(owners: () => string | undefined): string | undefined {
  try {
    return owners();
  } catch (error) {
    if (error instanceof FieldsError) return undefined;
    throw error;
  }
}
