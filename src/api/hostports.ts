/**
 * Host ports of a pod: a node gives each to one pod only, unless they are bound to different IPs. Pure. Called by the
 * scheduler, and by the node's admission.
 */
import type { PodSpec } from './types.js';

export interface HostPort {
  /** `anyIp` stands for all. */
  ip: string;
  protocol: string;
  port: number;
}

export const anyIp = '0.0.0.0';

/** Ports of containers that run for as long as the pod does. */
export function hostPorts(spec: PodSpec): HostPort[] {
  const sidecars = (spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  return [...spec.containers, ...sidecars].flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostIP, protocol, hostPort, containerPort }) => {
      const port = hostPort || (spec.hostNetwork ? containerPort : 0);
      return port ? [{ ip: hostIP || anyIp, protocol: protocol || 'TCP', port }] : [];
    }),
  );
}

/** Two host ports with different keys never meet. */
export const portKey = ({ protocol, port }: HostPort): string => `${protocol}/${port}`;

export const portsMeet = (a: HostPort, b: HostPort): boolean =>
  portKey(a) === portKey(b) && (a.ip === anyIp || b.ip === anyIp || a.ip === b.ip);
