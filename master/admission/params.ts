/**
 * 2. The parameters of a policy: the objects that a binding names or selects, read when they are needed. Every one of them
 * is another evaluation; a binding without any counts as it says.
 */
import { apiVersionOf } from '../../src/api/kinds.js';
import { selectorOf } from '../../src/api/selectors.js';
import type { KubeObject, ParamKind, ParamRef } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { ifFound } from '../../src/client/found.js';
import type { Resource } from '../resources/resource.js';
import type { ResourceSet } from '../resources/set.js';
import type { Subject } from './subject.js';

export interface ParamReader {
  client: Pick<Client, 'get' | 'list'>;
  resources: Pick<ResourceSet, 'rows'>;
}

/** One null where the policy takes no parameters. Rejects with an `Error` in the words for the user. */
export async function collectParams(
  reader: ParamReader,
  kind: ParamKind | undefined,
  ref: ParamRef | undefined,
  subject: Subject,
): Promise<(KubeObject | null)[]> {
  if (!kind || !ref) return [null];
  const row = reader.resources.rows.find(
    ({ type }) => type.kind === kind.kind && apiVersionOf(type) === kind.apiVersion,
  );
  if (!row) throw new Error(`paramKind kind \`${kindText(kind)}\` not known`);
  const params = await read(reader, row, ref, namespaceFor(row, ref, subject));
  if (params.length === 0 && ref.parameterNotFoundAction === 'Deny')
    throw new Error('no params found for policy binding with `Deny` parameterNotFoundAction');
  return params;
}

const kindText = ({ apiVersion = '', kind = '' }: ParamKind): string =>
  `&ParamKind{APIVersion:${apiVersion},Kind:${kind},}`;

function namespaceFor({ type }: Resource, ref: ParamRef, subject: Subject): string | undefined {
  if (!type.namespaced) {
    if (!ref.namespace) return undefined;
    throw new Error('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
  }
  const namespace = ref.namespace || subject.namespace;
  if (namespace) return namespace;
  throw new Error('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources');
}

async function read(
  { client }: ParamReader,
  { type }: Resource,
  { name, selector }: ParamRef,
  namespace: string | undefined,
): Promise<KubeObject[]> {
  if (name) {
    if (selector) throw new Error('paramRef.name and paramRef.selector are mutually exclusive');
    const found = await ifFound(client.get(type, { namespace, name }));
    return found ? [found] : [];
  }
  if (!selector) throw new Error('one of name or selector must be provided');
  const { items } = await client.list(type, { namespace, labelSelector: selectorOf(selector).toString() });
  return items;
}
