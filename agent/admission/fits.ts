/**
 * Whether a pod fits on this node: resources, node selector and affinity, taints, host ports. Pure. The same rules as
 * the scheduler's, asked once more by the node because a pod may come without a scheduler, or two at the same time.
 */
import { hostPorts, portsMeet } from '../../src/api/hostports.js';
import { compileNodeSelector } from '../../src/api/nodeselector.js';
import { podRequests, type Resources, toAllocatable } from '../../src/api/podresources.js';
import { tolerates } from '../../src/api/tolerations.js';
import type { Node, Pod, PodSpec } from '../../src/api/types.js';
import { isStatic } from './critical.js';

/** Whole units; CPU in thousandths. */
export interface Shortage {
  resource: string;
  requested: number;
  used: number;
  capacity: number;
}

/** Why it does not fit: too little of something, or a rule that it breaks. */
export interface Misfit {
  shortages: readonly Shortage[];
  /** Name and words of the scheduler's filter. */
  broken: readonly { filter: string; text: string }[];
}

const specOf = (pod: Pod): PodSpec => pod.spec ?? { containers: [] };

/** What a pod asks for by name; `pods` is itself. */
export function requestsByName(pod: Pod): Map<string, number> {
  const { milliCpu, memory, ephemeralStorage, others } = podRequests(specOf(pod));
  return new Map([
    ['pods', 1],
    ['cpu', milliCpu],
    ['memory', memory],
    ['ephemeral-storage', ephemeralStorage],
    ...others,
  ]);
}

const capacitiesOf = (allocatable: Resources & { pods: number }): Map<string, number> =>
  new Map([
    ['pods', allocatable.pods],
    ['cpu', allocatable.milliCpu],
    ['memory', allocatable.memory],
    ['ephemeral-storage', allocatable.ephemeralStorage],
    ...allocatable.others,
  ]);

/** `active`: the pods that hold something of the node. */
export function findMisfit(pod: Pod, node: Node, active: readonly Pod[]): Misfit {
  return { shortages: shortagesOf(pod, node, active), broken: brokenRules(pod, node, active) };
}

function shortagesOf(pod: Pod, node: Node, active: readonly Pod[]): Shortage[] {
  // A node that has not said yet what it has refuses nothing.
  if (!node.status?.allocatable) return [];
  const capacities = capacitiesOf(toAllocatable(node.status.allocatable));
  const used = new Map<string, number>();
  for (const other of active) {
    for (const [name, amount] of requestsByName(other)) used.set(name, (used.get(name) ?? 0) + amount);
  }
  return [...requestsByName(pod)].flatMap(([resource, requested]) => {
    // Resources the node knows nothing of are the cluster's, not the node's.
    const capacity = capacities.get(resource);
    const taken = used.get(resource) ?? 0;
    if (capacity === undefined || requested === 0 || requested <= capacity - taken) return [];
    return [{ resource, requested, used: taken, capacity }];
  });
}

function brokenRules(pod: Pod, node: Node, active: readonly Pod[]): Misfit['broken'] {
  const spec = specOf(pod);
  const name = node.metadata.name ?? '';
  const broken: { filter: string; text: string }[] = [];
  const isWanted = compileNodeSelector(spec);
  if (isWanted && !isWanted({ name, labels: node.metadata.labels ?? {} }))
    broken.push({ filter: 'NodeAffinity', text: "node(s) didn't match Pod's node affinity/selector" });
  if (spec.nodeName && spec.nodeName !== name)
    broken.push({ filter: 'NodeName', text: "node(s) didn't match the requested node name" });
  const ports = hostPorts(spec);
  const taken = ports.length > 0 ? active.flatMap((other) => hostPorts(specOf(other))) : [];
  if (ports.some((port) => taken.some((other) => portsMeet(port, other))))
    broken.push({
      filter: 'NodePorts',
      text: "node(s) didn't have free ports for the requested pod ports",
    });
  const noExecute = (node.spec?.taints ?? []).filter(({ effect }) => effect === 'NoExecute');
  if (!isStatic(pod) && noExecute.some((taint) => !tolerates(spec.tolerations, taint)))
    broken.push({ filter: 'TaintToleration', text: "node(s) had taints that the pod didn't tolerate" });
  return broken;
}
