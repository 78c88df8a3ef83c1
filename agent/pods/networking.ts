/**
 * A pod as the pod network sees it. Pure.
 */
import type { Pod } from '../../src/api/types.js';
import type { PodSandbox, PortMapping } from '../network/network.js';
import type { SandboxState } from '../runtime/runtime.js';
import { podName, podNamespace, podUid } from './names.js';

const protocolOf = (protocol: string | undefined): PortMapping['protocol'] =>
  protocol === 'UDP' || protocol === 'SCTP' ? protocol : 'TCP';

/** The host ports that the containers of a pod ask for. */
export function portMappingsOf(pod: Pod): PortMapping[] {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  return containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, containerPort, protocol, hostIP }) =>
      hostPort ? [{ hostPort, containerPort, protocol: protocolOf(protocol), hostIP: hostIP ?? '' }] : [],
    ),
  );
}

export const toPodSandbox = (pod: Pod, sandbox: SandboxState): PodSandbox => ({
  id: sandbox.id,
  podName: podName(pod),
  podNamespace: podNamespace(pod),
  podUid: podUid(pod),
  networkNamespace: sandbox.networkNamespace,
  portMappings: portMappingsOf(pod),
});
