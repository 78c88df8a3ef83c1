/**
 * Defaults of Namespaces, Nodes and Secrets, as documented for core/v1. Pure; every function changes its argument.
 */
import type { Namespace, Node, Secret } from '../types.js';
import { roundToMilli } from './resources.js';

const NAME_LABEL = 'kubernetes.io/metadata.name';

export function defaultNamespace(namespace: Namespace): void {
  const { name } = namespace.metadata;
  if (name) namespace.metadata.labels = { ...namespace.metadata.labels, [NAME_LABEL]: name };
  namespace.status ??= {};
  namespace.status.phase ||= 'Active';
}

export function defaultNode(node: Node): void {
  const { status } = node;
  if (status?.capacity) status.allocatable ??= { ...status.capacity };
  roundToMilli(status?.capacity);
  roundToMilli(status?.allocatable);
}

/** `stringData` is write-only: it goes into `data`, where it wins. */
export function defaultSecret(secret: Secret): void {
  secret.type ||= 'Opaque';
  if (!secret.stringData) return;
  secret.data ??= {};
  for (const [key, value] of Object.entries(secret.stringData))
    secret.data[key] = Buffer.from(value).toString('base64');
  delete secret.stringData;
}
