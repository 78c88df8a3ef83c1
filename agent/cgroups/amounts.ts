/**
 * What a pod asks for and what it may use, as numbers, also for pods whose defaults nobody filled in. Pure. Called by
 * `limits.ts`. The sum over containers, sidecars and init containers is the scheduler's (`src/api/podresources.ts`).
 */
import { podLimits, podRequests, type Resources } from '../../src/api/podresources.js';
import { toBytes, toMilli } from '../../src/api/quantity.js';
import type { Container, Pod, PodSpec } from '../../src/api/types.js';

type List = Record<string, string> | undefined;
type Lists = { limits?: List; requests?: List } | undefined;

export interface Amounts {
  /** Thousandths of a CPU. */
  cpu: number;
  /** Bytes. */
  memory: number;
}

const amountsIn = (list: List): Amounts => ({
  cpu: toMilli(list?.['cpu'] ?? '0'),
  memory: toBytes(list?.['memory'] ?? '0'),
});

export const limitsIn = (lists: Lists): Amounts => amountsIn(lists?.limits);

/** A limit without a request is the request too, as the API defaults it. */
export const requestsIn = (lists: Lists): Amounts => amountsIn({ ...lists?.limits, ...lists?.requests });

export function podAmounts(pod: Pod): { requests: Resources; limits: Resources } {
  const spec = filled(pod.spec ?? { containers: [] });
  return { requests: podRequests(spec), limits: podLimits(spec) };
}

/** With the requests that follow from limits: of a container its limit, of the pod what its containers ask for, or its limit. */
function filled(spec: PodSpec): PodSpec {
  const withRequests = (container: Container): Container => {
    const { limits, requests } = container.resources ?? {};
    return limits ? { ...container, resources: { limits, requests: { ...limits, ...requests } } } : container;
  };
  const containers: PodSpec = {
    ...spec,
    containers: spec.containers.map(withRequests),
    initContainers: spec.initContainers?.map(withRequests),
  };
  if (!spec.resources?.limits) return containers;
  const { limits, requests } = spec.resources;
  const { milliCpu, memory, others } = podRequests({ ...containers, resources: undefined });
  const isAsked = (name: string): boolean =>
    (name === 'cpu' ? milliCpu : name === 'memory' ? memory : (others.get(name) ?? 0)) > 0;
  const missing = Object.entries(limits).filter(([name]) => !isAsked(name));
  return { ...containers, resources: { limits, requests: { ...Object.fromEntries(missing), ...requests } } };
}
