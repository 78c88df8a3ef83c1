/**
 * What a pod asks for and what a node has, as plain numbers: CPU in thousandths, everything else in whole units. Pure.
 *
 * Called by the scheduler when a pod or node comes into its snapshot, and by the admission and eviction of the node. The
 * sum of a pod is the one Kubernetes documents: containers together, or the most that its init containers need at a
 * time, whichever is more; sidecars (init containers with `restartPolicy: Always`) run along with everything after them.
 */
import { toBytes, toMilli } from './quantity.js';
import type { Container, PodSpec } from './types.js';

export interface Resources {
  milliCpu: number;
  memory: number;
  ephemeralStorage: number;
  /** Extended resources and huge pages, by name. */
  others: ReadonlyMap<string, number>;
}

type Quantities = Readonly<Record<string, string | number>>;
type Amounts = Map<string, number>;

/** What scores count for a container that asks for nothing, so that many of them still fill a node. */
const assumedRequests: Quantities = { cpu: '100m', memory: '200Mi' };

const amountOf = (name: string, quantity: string | number): number =>
  name === 'cpu' ? toMilli(String(quantity)) : toBytes(String(quantity));

function add(sum: Amounts, quantities: Quantities | undefined): void {
  for (const name in quantities) {
    const quantity = quantities[name];
    if (quantity !== undefined) sum.set(name, (sum.get(name) ?? 0) + amountOf(name, quantity));
  }
}

function addAll(sum: Amounts, more: Amounts): void {
  for (const [name, amount] of more) sum.set(name, (sum.get(name) ?? 0) + amount);
}

/** Every amount becomes at least the one of `floor`. */
function raise(sum: Amounts, floor: Amounts): void {
  for (const [name, amount] of floor) sum.set(name, Math.max(sum.get(name) ?? 0, amount));
}

function sumOf(
  spec: PodSpec,
  amountsOf: (container: Container) => Quantities | undefined,
  ofPod: Quantities | undefined,
): Amounts {
  const total: Amounts = new Map();
  for (const container of spec.containers) add(total, amountsOf(container));
  const sidecars: Amounts = new Map();
  const peak: Amounts = new Map();
  for (const container of spec.initContainers ?? []) {
    const running = new Map(sidecars);
    add(running, amountsOf(container));
    raise(peak, running);
    if (container.restartPolicy !== 'Always') continue;
    add(sidecars, amountsOf(container));
  }
  addAll(total, sidecars);
  raise(total, peak);
  for (const [name, quantity] of Object.entries(ofPod ?? {})) total.set(name, amountOf(name, quantity));
  return total;
}

function toResources(amounts: Amounts): Resources {
  const { cpu, memory, 'ephemeral-storage': storage, pods: _pods, ...rest } = Object.fromEntries(amounts);
  return {
    milliCpu: cpu ?? 0,
    memory: memory ?? 0,
    ephemeralStorage: storage ?? 0,
    others: new Map(Object.entries(rest)),
  };
}

/** What the pod reserves on a node. */
export const podRequests = (spec: PodSpec): Resources =>
  withOverhead(spec, (container) => container.resources?.requests);

/** What the pod may use at most; 0 where nothing of it has a limit. */
export function podLimits(spec: PodSpec): Resources {
  const limits = sumOf(spec, (container) => container.resources?.limits, spec.resources?.limits);
  for (const [name, amount] of Object.entries(spec.overhead ?? {})) {
    if (limits.has(name)) add(limits, { [name]: amount });
  }
  return toResources(limits);
}

/** The same for scores: 100m CPU and 200 Mi for each container that does not say. */
export const podRequestsForScore = (spec: PodSpec): Resources =>
  withOverhead(spec, (container) => ({ ...assumedRequests, ...container.resources?.requests }));

function withOverhead(
  spec: PodSpec,
  requestsOf: (container: Container) => Quantities | undefined,
): Resources {
  const total = sumOf(spec, requestsOf, spec.resources?.requests);
  add(total, spec.overhead);
  return toResources(total);
}

export interface Allocatable extends Resources {
  pods: number;
}

/** `node.status.allocatable`; nothing fits on a node that has not said what it has. */
export function toAllocatable(quantities: Quantities | undefined): Allocatable {
  const amounts: Amounts = new Map();
  add(amounts, quantities);
  return { ...toResources(amounts), pods: amounts.get('pods') ?? 0 };
}
