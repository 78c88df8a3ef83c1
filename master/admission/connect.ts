/**
 * 2. What a connection asks for, as admission sees it: the query of `pods/x/exec` and its like as the object that Kubernetes
 * makes of it (PodExecOptions, ServiceProxyOptions...). Pure.
 */
import type { KubeObject } from '../../src/api/types.js';

interface Connection {
  resource: string;
  subresource: string;
  /** Behind `proxy`. */
  rest: readonly string[];
}

const kinds: Readonly<Record<string, string>> = {
  'pods/exec': 'PodExecOptions',
  'pods/attach': 'PodAttachOptions',
  'pods/portforward': 'PodPortForwardOptions',
  'pods/proxy': 'PodProxyOptions',
  'services/proxy': 'ServiceProxyOptions',
  'nodes/proxy': 'NodeProxyOptions',
};
const flags = ['stdin', 'stdout', 'stderr', 'tty'];

export function connectOptions(
  { resource, subresource, rest }: Connection,
  query: URLSearchParams,
): KubeObject {
  const options: Record<string, unknown> = {
    kind: kinds[`${resource}/${subresource}`] ?? '',
    apiVersion: 'v1',
  };
  if (subresource === 'proxy') options['path'] = `/${rest.join('/')}`;
  for (const flag of flags) if (isTrue(query.get(flag))) options[flag] = true;
  const container = query.get('container');
  if (container) options['container'] = container;
  if (query.has('command')) options['command'] = query.getAll('command');
  if (query.has('ports')) options['ports'] = query.getAll('ports').map(Number);
  return options as unknown as KubeObject;
}

const isTrue = (value: string | null): boolean =>
  value !== null && value !== '0' && value.toLowerCase() !== 'false';
