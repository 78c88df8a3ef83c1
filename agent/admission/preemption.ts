/**
 * Who has to go so that a critical pod fits on this node. Pure; the choice documented for kubelet: as few guaranteed
 * pods as possible, then as few burstable ones, then best-effort ones; of a class first the pod that comes nearest to
 * what is missing, of equals the one that asks for less.
 */
import type { Pod } from '../../src/api/types.js';
import { qosClassOf } from '../cgroups/limits.js';
import { isCritical, priorityOf } from './critical.js';
import { requestsByName, type Shortage } from './fits.js';

interface Candidate {
  pod: Pod;
  requests: ReadonlyMap<string, number>;
}

/** What is still missing, by resource. Empty: nothing. */
type Missing = ReadonlyMap<string, number>;

/** The pods to end; undefined when even all of them would not be enough. */
export function choosePreempted(
  critical: Pod,
  active: readonly Pod[],
  shortages: readonly Shortage[],
): Pod[] | undefined {
  const candidates = active
    .filter((pod) => mayPreempt(critical, pod))
    .map((pod): Candidate => ({ pod, requests: requestsByName(pod) }));
  const ofClass = (qos: string): Candidate[] => candidates.filter(({ pod }) => qosClassOf(pod) === qos);
  const [bestEffort, burstable, guaranteed] = [
    ofClass('BestEffort'),
    ofClass('Burstable'),
    ofClass('Guaranteed'),
  ];
  const missing: Missing = new Map(
    shortages.map(({ resource, requested, used, capacity }) => [resource, requested - (capacity - used)]),
  );
  if (without(missing, candidates).size > 0) return undefined;
  const fromGuaranteed = nearest(guaranteed, without(missing, [...bestEffort, ...burstable]));
  const fromBurstable = nearest(burstable, without(missing, [...bestEffort, ...fromGuaranteed]));
  const fromBestEffort = nearest(bestEffort, without(missing, [...fromBurstable, ...fromGuaranteed]));
  return [...fromBestEffort, ...fromBurstable, ...fromGuaranteed].map(({ pod }) => pod);
}

const mayPreempt = (critical: Pod, other: Pod): boolean =>
  (isCritical(critical) && !isCritical(other)) || priorityOf(critical) > priorityOf(other);

function without(missing: Missing, gone: readonly Candidate[]): Missing {
  const left = [...missing].map(([name, amount]): [string, number] => [
    name,
    amount - gone.reduce((sum, { requests }) => sum + (requests.get(name) ?? 0), 0),
  ]);
  return new Map(left.filter(([, amount]) => amount > 0));
}

/** Takes candidates, the nearest first, until nothing is missing; there are enough. */
function nearest(candidates: readonly Candidate[], missing: Missing): Candidate[] {
  const chosen: Candidate[] = [];
  const left = new Set(candidates);
  for (let need = missing; need.size > 0 && left.size > 0; ) {
    const [best] = [...left].sort((a, b) => distance(a, need) - distance(b, need) || compareRequests(a, b));
    if (!best) break;
    left.delete(best);
    chosen.push(best);
    need = without(need, [best]);
  }
  return chosen;
}

/** 0: it frees all that is missing; each resource counts the same. */
const distance = ({ requests }: Candidate, missing: Missing): number =>
  [...missing].reduce((sum, [name, amount]) => {
    const rest = amount - (requests.get(name) ?? 0);
    return rest > 0 ? sum + (rest / amount) ** 2 : sum;
  }, 0);

function compareRequests(a: Candidate, b: Candidate): number {
  const of = ({ requests }: Candidate, name: string): number => requests.get(name) ?? 0;
  return of(a, 'memory') - of(b, 'memory') || of(a, 'cpu') - of(b, 'cpu');
}
