/**
 * What nobody owns: the fields that the server writes, whoever sent them. Pure.
 */
import { difference, type Fields, fieldElement, isEmpty, leaf } from './fields.js';

/** Of the object itself. */
export const typeNames: ReadonlySet<string> = new Set(['apiVersion', 'kind']);

/** Of its metadata. */
export const serverMetadata: ReadonlySet<string> = new Set([
  ...['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'clusterName', 'generation'],
  ...['managedFields', 'resourceVersion'],
]);

const metadata = fieldElement('metadata');
const inMetadata: Fields = Object.fromEntries([...serverMetadata].map((name) => [fieldElement(name), leaf]));
const inObject: Fields = Object.fromEntries([...typeNames].map((name) => [fieldElement(name), leaf]));

/** The set without them, and without the metadata itself. */
export function tracked(fields: Fields): Fields {
  const own = difference(fields, inObject);
  const node = own[metadata];
  if (node === undefined) return own;
  const kept = difference(node, inMetadata);
  const { '.': _self, ...members } = kept;
  if (kept === node && !('.' in node) && !isEmpty(node)) return own;
  const { [metadata]: _metadata, ...rest } = own;
  return isEmpty(members) ? rest : { ...rest, [metadata]: members };
}
