/**
 * A pod as the pod network sees it. Pure.
 */
import type { Pod } from '../../src/api/types.js';
import type { PodSandbox, PortMapping } from '../network/network.js';
import type { SandboxState } from '../runtime/runtime.js';
import { podName, podNamespace, podUid } from './names.js';

const protocolOf = (protocol: string | undefined): PortMapping['protocol'] =>
  protocol === 'UDP' || protocol === 'SCTP' ? protocol : 'TCP';

/** The host ports that the containers of a pod ask for, each once. On the host's network there is nothing to map. */
export function portMappingsOf(pod: Pod): PortMapping[] {
  if (pod.spec?.hostNetwork) return [];
  const mappings = new Map<string, PortMapping>();
  for (const { ports = [] } of [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]) {
    for (const { hostPort, containerPort, protocol, hostIP = '' } of ports) {
      if (!hostPort) continue;
      const mapping = { hostPort, containerPort, protocol: protocolOf(protocol), hostIP };
      const key = `${mapping.protocol}/${hostIP}/${hostPort}`;
      if (!mappings.has(key)) mappings.set(key, mapping);
    }
  }
  return [...mappings.values()];
}

export const toPodSandbox = (pod: Pod, sandbox: SandboxState): PodSandbox => ({
  id: sandbox.id,
  podName: podName(pod),
  podNamespace: podNamespace(pod),
  podUid: podUid(pod),
  networkNamespace: sandbox.networkNamespace,
  portMappings: portMappingsOf(pod),
});
