/**
 * 2. PUT: replaces an object, or the part of it that a subresource covers.
 */
import { defaultsFor } from '../../src/api/defaults/defaults.js';
import { ApiError, invalid, isReason } from '../../src/api/errors.js';
import type { ObjectRef } from '../../src/api/meta.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';
import { admitOther } from './admit.js';
import { readAs } from './body.js';
import { create } from './create.js';
import { type Environment, kindSubjectOf, strategyContext } from './environment.js';
import { ownersOfUpdate, type Writer } from './managed.js';
import { type Change, modify } from './modify.js';
import type { RequestContext, WriteResult } from './registry.js';
import { applyScale, scaleType, scaleView } from './scale.js';
import { readStored, shownErrors, storedRow } from './views.js';

export async function update<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  ref: ObjectRef,
  body: unknown,
  context: RequestContext,
  subresource?: string,
): Promise<WriteResult<T>> {
  if (subresource === 'scale') {
    const scale = readAs(scaleType, body, context);
    return modifyScale(env, resource, ref, context, () => scale);
  }
  const object = await readStored(resource, body, context);
  try {
    const produce = (): T => {
      if (subresource === undefined) requireVersion(storedRow(resource), object);
      return object;
    };
    return await modify(
      env,
      resource,
      ref,
      context,
      changeOf(env, resource, { context, subresource }, produce),
    );
  } catch (error) {
    const creates = subresource === undefined && storedRow(resource).strategy.allowCreateOnUpdate;
    if (!creates || object.metadata.resourceVersion || !isReason(error, 'NotFound')) throw error;
    await context.mayCreate?.();
    const { uid: _uid, ...metadata } = object.metadata;
    return create(
      env,
      storedRow(resource),
      ref.namespace,
      { ...object, metadata: { ...metadata, name: ref.name } },
      context,
    );
  }
}

/** Of some kinds a blind update is refused: it would undo what somebody else just wrote. */
function requireVersion(resource: Resource, { metadata }: KubeObject): void {
  if (resource.strategy.allowUnconditionalUpdate !== false || metadata.resourceVersion) return;
  throw invalid(kindSubjectOf(resource, metadata.name ?? ''), [
    {
      type: 'Invalid',
      field: 'metadata.resourceVersion',
      valueText: '0x0',
      detail: 'must be specified for an update',
    },
  ]);
}

/** Writes what `produce` makes of the Scale view and answers the view of the result. */
export async function modifyScale<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  ref: ObjectRef,
  context: RequestContext,
  produce: (view: KubeObject) => KubeObject | Promise<KubeObject>,
): Promise<WriteResult<T>> {
  const written = await modify(env, resource, ref, context, {
    ...rulesFor(env, storedRow(resource), context, undefined),
    owners: (write) => ownersOfUpdate(env, resource, write, { context, subresource: 'scale' }),
    produce: async (old) => {
      const { object } = scaleView(resource, { bytes: Buffer.alloc(0), object: old });
      const view = await admitOther(env, {
        ...{ operation: 'UPDATE', resource, subresource: 'scale', ref, context },
        ...{ object: await produce(object), oldObject: object },
      });
      return applyScale(resource, old, view);
    },
  });
  return { ...scaleView(resource, written), created: false } as unknown as WriteResult<T>;
}

/** A write to the object itself or to one of its subresources: what it may change, and what it must satisfy. */
export function changeOf<T extends KubeObject>(
  env: Environment,
  requested: Resource<T>,
  writer: Writer,
  produce: Change<T>['produce'],
): Change<T> {
  const { context, subresource } = writer;
  const rules = rulesFor(env, storedRow(requested), context, subresource);
  const validate = requested.view?.validate
    ? (object: T, old: T) => shownErrors(requested, rules.validate(object, old), object, old)
    : rules.validate;
  return {
    produce,
    default: rules.default,
    prepare: rules.prepare,
    validate,
    owners: (write) => ownersOfUpdate(env, requested, write, writer),
    admission: { resource: requested, subresource: subresource ?? '' },
  };
}

function rulesFor<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  context: RequestContext,
  subresource: string | undefined,
): Pick<Change<T>, 'default' | 'prepare' | 'validate'> {
  const { strategy } = resource;
  const how = strategyContext(env, context);
  if (subresource === undefined) {
    return {
      default: (object) => {
        defaultsFor(resource.type)(object);
        return strategy.default?.(object) ?? object;
      },
      prepare: (object, old) =>
        strategy.prepareForUpdate?.(how, object, old) ?? keepStatus(resource, object, old),
      validate: (object, old) => [
        ...(strategy.validate?.(object) ?? []),
        ...(strategy.validateUpdate?.(object, old) ?? []),
      ],
    };
  }
  if (subresource === 'status' && resource.subresources.includes('status')) {
    return {
      prepare: (object, old) =>
        strategy.prepareForStatusUpdate?.(how, object, old) ?? withStatusOf(object, old),
      validate: (object, old) => strategy.validateStatusUpdate?.(object, old) ?? [],
    };
  }
  return {
    default: (object) => {
      defaultsFor(resource.type)(object);
      return strategy.default?.(object) ?? object;
    },
    prepare: (object, old) => {
      const prepared = strategy.prepareForSubresourceUpdate?.(subresource, how, object, old);
      if (!prepared) throw new ApiError('NotFound', 'the server could not find the requested resource');
      return prepared;
    },
    validate: (object, old) => strategy.validateSubresourceUpdate?.(subresource, object, old) ?? [],
  };
}

/** The old object with the new status: a status writer owns nothing else. */
export const withStatusOf = <T extends KubeObject>(object: T, old: T): T => ({
  ...old,
  status: (object as { status?: unknown }).status,
});

/** A writer of the object itself does not own its status, where that has a subresource of its own. */
function keepStatus<T extends KubeObject>(resource: Resource<T>, object: T, old: T): T {
  return resource.subresources.includes('status')
    ? { ...object, status: (old as { status?: unknown }).status }
    : object;
}
