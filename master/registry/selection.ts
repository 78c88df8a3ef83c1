/**
 * 2. What the label and field selectors of a list or watch let through. Pure.
 */
import { badRequest } from '../../src/api/errors.js';
import { apiVersionOf } from '../../src/api/kinds.js';
import {
  type FieldRequirement,
  matchesFields,
  parseFieldSelector,
  parseLabelSelector,
  type Selector,
  SelectorError,
} from '../../src/api/selectors.js';
import type { KubeObject } from '../../src/api/types.js';
import type { ListOptions } from '../../src/client/client.js';
import type { Resource } from '../resources/resource.js';

export interface Selection {
  /** Absent when everything matches. */
  matches: ((object: KubeObject) => boolean) | undefined;
  /** Set when only an object of this name (and namespace) can match: no scan is needed. */
  name: string | undefined;
  namespace: string | undefined;
}

/** Rejects with 400 when a selector cannot be parsed or names a field that the kind does not offer. */
export function selectionOf(
  resource: Resource,
  options: Pick<ListOptions, 'labelSelector' | 'fieldSelector'>,
): Selection {
  const labels = options.labelSelector
    ? parse(() => parseLabelSelector(options.labelSelector ?? ''))
    : undefined;
  const fields = options.fieldSelector ? parse(() => parseFieldSelector(options.fieldSelector ?? '')) : [];
  for (const { field } of fields) requireField(resource, field);
  const equalTo = (name: string): string | undefined =>
    fields.find(({ field, operator, value }) => field === name && operator === '=' && value !== '')?.value;
  return {
    matches: matcher(resource, labels, fields),
    name: equalTo('metadata.name'),
    namespace: equalTo('metadata.namespace'),
  };
}

function matcher(
  resource: Resource,
  labels: Selector | undefined,
  fields: readonly FieldRequirement[],
): Selection['matches'] {
  const hasLabels = labels !== undefined && !labels.isEmpty;
  if (!hasLabels && fields.length === 0) return undefined;
  return (object) =>
    (!hasLabels || labels.matches(object.metadata.labels)) &&
    (fields.length === 0 || matchesFields(fields, fieldReader(resource, object)));
}

function fieldReader(resource: Resource, object: KubeObject): (field: string) => string {
  const own = resource.strategy.fields?.(object);
  return (field) => {
    if (field === 'metadata.name') return object.metadata.name ?? '';
    if (field === 'metadata.namespace') return object.metadata.namespace ?? '';
    return own?.[field] ?? '';
  };
}

/** An empty object shows which fields a kind has: `fields` names all of them, set or not. */
function requireField(resource: Resource, field: string): void {
  if (field === 'metadata.name' || field === 'metadata.namespace') return;
  const { type, strategy } = resource;
  const own = strategy.fields?.({ apiVersion: apiVersionOf(type), kind: type.kind, metadata: {} });
  if (own && field in own) return;
  throw badRequest(
    own
      ? `field label not supported: ${field}`
      : `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`,
  );
}

function parse<R>(run: () => R): R {
  try {
    return run();
  } catch (error) {
    if (error instanceof SelectorError) throw badRequest(error.message, error);
    throw error;
  }
}
