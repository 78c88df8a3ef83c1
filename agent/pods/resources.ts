/**
 * The cpu and memory of containers, which may change while they run: what is asked for (spec), what the node gave
 * (allocation) and what a running container was told (its label, or the last update). Pure.
 */
import { toBytes, toMilli } from '../../src/api/quantity.js';
import type { Container, Pod, ResourceRequirements } from '../../src/api/types.js';
import type { ContainerState } from '../runtime/runtime.js';
import type { Allocation } from './checkpoint.js';
import { podLabels } from './names.js';
import { appContainersOf, initContainersOf, isSidecar, type Observed } from './observed.js';

/** Containers whose resources may change while they run. */
export const resizableOf = (pod: Pod): readonly Container[] => [
  ...initContainersOf(pod).filter(isSidecar),
  ...appContainersOf(pod),
];

export const allocationOf = (pod: Pod): Allocation =>
  Object.fromEntries(resizableOf(pod).map(({ name, resources }) => [name, resources ?? {}]));

/** The pod with the resources that it was given in the place of those it asks for. */
export function withAllocation(pod: Pod, allocation: Allocation | undefined): Pod {
  if (!allocation || !pod.spec || resizableOf(pod).every((spec) => isGiven(spec, allocation))) return pod;
  const given = (spec: Container): Container =>
    isGiven(spec, allocation) ? spec : { ...spec, resources: allocation[spec.name] };
  const { containers, initContainers } = pod.spec;
  return {
    ...pod,
    spec: {
      ...pod.spec,
      containers: containers.map(given),
      ...(initContainers && { initContainers: initContainers.map(given) }),
    },
  };
}

const isGiven = ({ name, resources }: Container, allocation: Allocation): boolean =>
  allocation[name] === undefined || changesBetween(allocation[name], resources).length === 0;

type Amount = 'requests.cpu' | 'limits.cpu' | 'requests.memory' | 'limits.memory';

const amountOf = (resources: ResourceRequirements | undefined, amount: Amount): number | undefined => {
  const [list, name] = amount.split('.') as ['requests' | 'limits', 'cpu' | 'memory'];
  const quantity = resources?.[list]?.[name];
  if (quantity === undefined) return undefined;
  return name === 'cpu' ? toMilli(quantity) : toBytes(quantity);
};

const amounts: readonly Amount[] = ['requests.cpu', 'limits.cpu', 'requests.memory', 'limits.memory'];

export const changesBetween = (
  a: ResourceRequirements | undefined,
  b: ResourceRequirements | undefined,
): Amount[] => amounts.filter((amount) => amountOf(a, amount) !== amountOf(b, amount));

/** What the container was told last; undefined when that is not known (made by an older agent). */
export function toldOf(observed: Observed, state: ContainerState): ResourceRequirements | undefined {
  const updated = observed.applied.get(state.id);
  if (updated) return updated;
  const label = state.labels[podLabels.resources];
  if (!label) return undefined;
  try {
    return JSON.parse(label) as ResourceRequirements;
  } catch {
    // Not ours: as good as not known.
    return undefined;
  }
}

/** What changes for this run of the container before it is as its spec says. */
export function pendingChanges(spec: Container, state: ContainerState, observed: Observed): Amount[] {
  const told = toldOf(observed, state);
  return told ? changesBetween(told, spec.resources) : [];
}

/** Whether one of the changes is of a kind for which the container's `resizePolicy` wants a restart. */
export function needsRestart(spec: Container, changes: readonly Amount[]): boolean {
  const wants = (name: string): boolean =>
    spec.resizePolicy?.some(
      ({ resourceName, restartPolicy }) => resourceName === name && restartPolicy === 'RestartContainer',
    ) ?? false;
  // A memory request alone changes nothing that the container could notice.
  return changes.some((change) =>
    change === 'limits.memory' ? wants('memory') : change.endsWith('cpu') && wants('cpu'),
  );
}

/** Of each amount the larger of the two, where no amount is no limit. */
export function largerOf(a: ResourceRequirements | undefined, b: ResourceRequirements | undefined) {
  const larger = (list: 'requests' | 'limits'): Record<string, string> => {
    const merged: Record<string, string> = { ...b?.[list] };
    for (const name of ['cpu', 'memory'] as const) {
      const [before, after] = [amountOf(a, `${list}.${name}`), amountOf(b, `${list}.${name}`)];
      const quantity = a?.[list]?.[name];
      if (before === undefined && list === 'limits') delete merged[name];
      else if (quantity !== undefined && (before ?? 0) > (after ?? Number.POSITIVE_INFINITY))
        merged[name] = quantity;
    }
    return merged;
  };
  return { ...b, requests: larger('requests'), limits: larger('limits') };
}
