/**
 * Whether this node takes a pod, asked once before anything of it is made; what is refused becomes Failed with the
 * reason. The rules and words are kubelet's. A critical pod for which there is no room makes others go. Handed to
 * `agent/pods` as its `AdmitPod` by `agent/main.ts`.
 *
 * Order: pressure, sysctls, operating system, what host or runtime cannot, then whether it fits (`fits.ts`).
 */

import { tolerates } from '../../src/api/tolerations.js';
import type { Node, Pod } from '../../src/api/types.js';
import type { EventRecorder } from '../../src/client/events.js';
import type { Logger } from '../../src/host/log.js';
import { qosClassOf } from '../cgroups/limits.js';
import type { Pressure } from '../node/conditions.js';
import { podName, podNamespace, podUid } from '../pods/names.js';
import type { AdmitPod, PodEnd } from '../pods/needs.js';
import type { RuntimeFeatures } from '../runtime/runtime.js';
import { isCritical } from './critical.js';
import { findMisfit } from './fits.js';
import { choosePreempted } from './preemption.js';

type Refusal = Pick<PodEnd, 'reason' | 'message'>;

export interface AdmissionOptions {
  /** This node as the API has it; undefined before it is known. */
  node(): Node | undefined;
  pressures(): ReadonlySet<Pressure>;
  /** One message for each sysctl that the pod may not set here. */
  forbiddenSysctls(pod: Pod): readonly string[];
  features: Pick<RuntimeFeatures, 'appArmor' | 'strictSupplementalGroups'>;
  end(uid: string, end: PodEnd): void;
  recorder: EventRecorder;
  log: Logger;
}

export function createAdmission(options: AdmissionOptions): AdmitPod {
  const log = options.log.child({ component: 'admission' });

  function makeRoom(pod: Pod, victims: readonly Pod[]): void {
    const message = 'Preempted in order to admit critical pod';
    for (const victim of victims) {
      log.warn(
        { pod: `${podNamespace(victim)}/${podName(victim)}`, critical: podName(pod) },
        'pod ended to make room for a critical one',
      );
      options.recorder.event(victim, 'Warning', 'Preempting', message);
      options.end(podUid(victim), {
        reason: 'Preempting',
        message,
        graceSeconds: victim.spec?.terminationGracePeriodSeconds ?? 30,
        disruption: {
          reason: 'TerminationByKubelet',
          message: 'Pod was preempted by Kubelet to accommodate a critical pod.',
        },
      });
    }
  }

  function refusedByFit(pod: Pod, active: readonly Pod[]): Refusal | undefined {
    const node = options.node();
    if (!node) return undefined;
    const { shortages, broken } = findMisfit(pod, node, active);
    const [rule] = broken;
    const [shortage] = shortages;
    if (isCritical(pod) && !rule && shortage) {
      const victims = choosePreempted(pod, active, shortages);
      if (victims) {
        makeRoom(pod, victims);
        return undefined;
      }
      const missing = shortages.map(
        ({ resource, requested, used, capacity }) =>
          `(res: ${resource}, q: ${requested - (capacity - used)}), `,
      );
      return {
        reason: 'UnexpectedAdmissionError',
        message: `Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: [${missing.join('')}]`,
      };
    }
    if (shortage && !(isCritical(pod) && rule)) {
      const { resource, requested, used, capacity } = shortage;
      const message = `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`;
      return { reason: `OutOf${resource}`, message };
    }
    return rule && { reason: rule.filter, message: `Predicate ${rule.filter} failed: ${rule.text}` };
  }

  return (pod, active) =>
    refusedForPressure(pod, options.pressures()) ??
    refusedForSysctls(options.forbiddenSysctls(pod)) ??
    refusedForSystem(pod) ??
    refusedForFeatures(pod, options.features) ??
    refusedByFit(pod, active);
}

/** Memory alone is short: only those that promised nothing are kept away. Anything else: all but the critical. */
export function refusedForPressure(pod: Pod, pressures: ReadonlySet<Pressure>): Refusal | undefined {
  if (pressures.size === 0 || isCritical(pod)) return undefined;
  if (pressures.size === 1 && pressures.has('MemoryPressure')) {
    const taint = { key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' };
    if (qosClassOf(pod) !== 'BestEffort' || tolerates(pod.spec?.tolerations, taint)) return undefined;
  }
  return { reason: 'Evicted', message: `The node had condition: [${[...pressures].join(' ')}]. ` };
}

const refusedForSysctls = ([message]: readonly string[]): Refusal | undefined =>
  message === undefined ? undefined : { reason: 'SysctlForbidden', message };

const osLabel = 'kubernetes.io/os';

function refusedForSystem({ metadata, spec }: Pod): Refusal | undefined {
  if ((metadata.labels?.[osLabel] ?? 'linux') !== 'linux') {
    const message = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label";
    return { reason: 'PodOSSelectorNodeLabelDoesNotMatch', message };
  }
  if ((spec?.os?.name || 'linux') === 'linux') return undefined;
  return {
    reason: 'PodOSNotSupported',
    message: "Failed to admit pod as the OS field doesn't match node OS",
  };
}

/** AppArmor: a profile that somebody asked for; without, the runtime's default is left out where there is none. */
function refusedForFeatures({ spec }: Pod, features: AdmissionOptions['features']): Refusal | undefined {
  if (spec?.securityContext?.supplementalGroupsPolicy === 'Strict' && !features.strictSupplementalGroups) {
    const message = 'SupplementalGroupsPolicy=Strict is not supported in this node';
    return { reason: 'SupplementalGroupsPolicyNotSupported', message };
  }
  const contexts = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map(
    ({ securityContext }) => securityContext,
  );
  const wantsAppArmor = [spec?.securityContext, ...contexts].some(
    (context) => context?.appArmorProfile && context.appArmorProfile.type !== 'Unconfined',
  );
  if (!wantsAppArmor || features.appArmor) return undefined;
  return {
    reason: 'AppArmor',
    message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host',
  };
}
