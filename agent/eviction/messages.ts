/**
 * What an evicted pod's status and events say, word for word as Kubernetes' do. Pure.
 */
import { fromBytes, fromMilli, toBytes } from '../../src/api/quantity.js';
import type { Pod } from '../../src/api/types.js';
import type { Observations } from './pressure.js';
import { type Starved, signalFacts, type Threshold, unitsOf } from './signals.js';
import type { ContainerUse, PodUse } from './usage.js';

export const evictedReason = 'Evicted';
/** Type and reason of the condition that an evicted pod gets. */
export const disruptionReason = 'TerminationByKubelet';

/** `use`: what is known of the pod; containers above their request are named with both numbers. */
export function pressureMessage(
  { signal, value }: Threshold,
  observations: Observations,
  pod: Pod,
  use: PodUse | undefined,
): string {
  const { starved } = signalFacts[signal];
  const observed = observations.get(signal);
  const text = starved === 'memory' || starved === 'ephemeral-storage' ? fromBytes : fromCount;
  const amounts = observed
    ? `Threshold quantity: ${text(unitsOf(value, observed.capacity))}, available: ${text(observed.available)}. `
    : '';
  return `The node was low on resource: ${starved}. ${amounts}${consumers(starved, pod, use)}`;
}

const fromCount = (count: number): string => fromMilli(count * 1000);

function consumers(starved: Starved, pod: Pod, use: PodUse | undefined): string {
  if (starved !== 'memory' && starved !== 'ephemeral-storage') return '';
  return (use?.containers ?? [])
    .flatMap((container) => {
      const spec = pod.spec?.containers.find(({ name }) => name === container.name);
      if (!spec) return [];
      const request = spec.resources?.requests?.[starved] ?? '0';
      const used = starved === 'memory' ? container.memoryBytes : diskBytes(container);
      return used > toBytes(request)
        ? [
            `Container ${spec.name} was using ${fromBytes(used)}, request is ${request}, has larger consumption of ${starved}. `,
          ]
        : [];
    })
    .join('');
}

const diskBytes = ({ layerBytes, logs }: ContainerUse): number => layerBytes + logs.bytes;

export const emptyDirMessage = (volume: string, limit: string): string =>
  `Usage of EmptyDir volume ${JSON.stringify(volume)} exceeds the limit ${JSON.stringify(limit)}. `;

export const podStorageMessage = (limit: string): string =>
  `Pod ephemeral local storage usage exceeds the total limit of containers ${limit}. `;

export const containerStorageMessage = (container: string, limit: string): string =>
  `Container ${container} exceeded its local ephemeral storage limit ${JSON.stringify(limit)}. `;
