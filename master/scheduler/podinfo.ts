/**
 * A pod with everything about it that scheduling asks for worked out once. Pure; immutable.
 *
 * Called by the scheduler for a pending pod before its cycle, and by the snapshot's owner for every pod on a node.
 */
import { type HostPort, hostPorts } from '../../src/api/hostports.js';
import { controllerOf, keyOf } from '../../src/api/meta.js';
import { podRequests, podRequestsForScore, type Resources } from '../../src/api/podresources.js';
import type { Pod, PodSpec } from '../../src/api/types.js';
import { compileTerms, type PodTerms } from './terms.js';

export interface PodInfo {
  key: string;
  uid: string;
  pod: Pod;
  spec: PodSpec;
  namespace: string;
  labels: Readonly<Record<string, string>>;
  /** Uid of the managing owner; pods that share it are spread. */
  owner: string | undefined;
  isTerminating: boolean;
  requests: Resources;
  scoreRequests: Resources;
  ports: readonly HostPort[];
  terms: PodTerms;
}

const noSpec: PodSpec = { containers: [] };

export function toPodInfo(pod: Pod): PodInfo {
  const { metadata, spec = noSpec } = pod;
  return {
    key: keyOf(pod),
    uid: metadata.uid ?? '',
    pod,
    spec,
    namespace: metadata.namespace ?? '',
    labels: metadata.labels ?? {},
    owner: controllerOf(pod)?.uid,
    isTerminating: metadata.deletionTimestamp !== undefined,
    requests: podRequests(spec),
    scoreRequests: podRequestsForScore(spec),
    ports: hostPorts(spec),
    terms: compileTerms(pod),
  };
}

/** Terminal pods hold nothing of their node any more. */
export const isFinished = ({ status }: Pod): boolean =>
  status?.phase === 'Succeeded' || status?.phase === 'Failed';

const ourName = 'default-scheduler';

/** Waits for this scheduler: no node yet, no gate, alive. */
export const isPending = (pod: Pod): boolean =>
  !pod.spec?.nodeName &&
  (pod.spec?.schedulerName ?? ourName) === ourName &&
  !pod.spec?.schedulingGates?.length &&
  pod.metadata.deletionTimestamp === undefined &&
  !isFinished(pod);
