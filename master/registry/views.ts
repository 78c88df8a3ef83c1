/**
 * 2. Versions of a kind that are not how it is stored: what comes in is converted before the registry works on it, what
 * goes out is converted from the stored bytes. A row without a view passes through untouched.
 */
import type { FieldError } from '../../src/api/errors.js';
import type { KubeObject } from '../../src/api/types.js';
import type { ListOptions } from '../../src/client/client.js';
import type { Resource } from '../resources/resource.js';
import { readBody } from './body.js';
import { managedOf, serialiseShown } from './codec.js';
import type { RequestContext, Stored, StoredEvent } from './registry.js';

/** The row whose strategy, keys and hooks apply. */
export const storedRow = <T extends KubeObject>(resource: Resource<T>): Resource<T> =>
  (resource.view?.of as Resource<T> | undefined) ?? resource;

/** A decoded body as an object of the storing version. Rejects with 400 as `readBody` does. */
export function readStored<T extends KubeObject>(
  resource: Resource<T>,
  body: unknown,
  context: RequestContext,
): T | Promise<T> {
  const object = readBody(resource, body, context);
  return resource.view ? toStoredVersion(resource, object) : object;
}

export async function toStoredVersion<T extends KubeObject>(resource: Resource<T>, object: T): Promise<T> {
  const [converted] = (await resource.view?.toStored([object])) ?? [object];
  return converted as T;
}

/** The object in the version of `resource`; new when it is a view. */
export async function fromStoredVersion<T extends KubeObject>(resource: Resource<T>, object: T): Promise<T> {
  const [converted] = (await resource.view?.fromStored([object])) ?? [object];
  return converted as T;
}

/** What was read, as `resource` shows it. */
export async function shown<T extends KubeObject, S extends Stored<T>>(
  resource: Resource<T>,
  stored: S,
): Promise<S> {
  const [item] = await shownAll<T>(resource, [stored]);
  return item ? { ...stored, ...item } : stored;
}

export async function shownAll<T extends KubeObject>(
  resource: Resource<T>,
  items: readonly Stored<T>[],
): Promise<Stored<T>[]> {
  if (!resource.view || items.length === 0) return [...items];
  const converted = await resource.view.fromStored(items.map((item) => item.object));
  return converted.map((object, i) => {
    const stored = items[i];
    if (stored?.object === object) return stored;
    const bytes = serialiseShown(object, stored && managedOf(stored.bytes));
    return { bytes, object: object as T };
  });
}

export async function* shownEvents<T extends KubeObject>(
  resource: Resource<T>,
  batches: AsyncIterable<readonly StoredEvent<T>[]>,
): AsyncGenerator<readonly StoredEvent<T>[], void, undefined> {
  for await (const batch of batches) {
    const items = batch.flatMap((event) => (event.type === 'BOOKMARK' ? [] : [event.item]));
    const converted = (await shownAll<T>(resource, items)).values();
    yield batch.map((event) => {
      const item = event.type === 'BOOKMARK' ? undefined : converted.next().value;
      return event.type === 'BOOKMARK' || !item ? event : { ...event, item };
    });
  }
}

/** What is wrong with the stored object, as a writer in the version of `resource` is told. */
export const shownErrors = <T extends KubeObject>(
  { view }: Resource<T>,
  errors: readonly FieldError[],
  object: T,
  old?: T,
): readonly FieldError[] => view?.validate?.(errors, object, old) ?? errors;

/** List options in the field labels of the storing version. */
export function storedOptions<O extends ListOptions>({ view }: Resource, options: O): O {
  const labels = view?.fieldLabels;
  if (!labels || !options.fieldSelector) return options;
  const fieldSelector = options.fieldSelector
    .split(',')
    .map((term) => {
      const [, label = '', rest = ''] = /^\s*([^=!]+?)\s*(!?=.*)$/.exec(term) ?? [];
      return Object.hasOwn(labels, label) ? `${labels[label]}${rest}` : term;
    })
    .join(',');
  return { ...options, fieldSelector };
}
