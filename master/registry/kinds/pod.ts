/**
 * The strategy of Pods: what a new one starts with, what may be written, how it is deleted. Pure.
 */

import { qosClassOf } from '../../../src/api/qos.js';
import type { Pod, PodSpec, Toleration } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { forbiddenField, required } from '../validation/field.js';
import { admitMirror, isMirrorPod, validateMirror, validateMirrorUpdate } from './mirrorpod.js';
import { validateEphemeralUpdate, withEphemeralContainers } from './podephemeral.js';
import { gatedStatus } from './podgates.js';
import { validateResize, withResources } from './podresize.js';
import { validatePodSpec } from './podspec.js';
import { validatePodUpdate } from './podupdate.js';
import { podWarnings } from './podwarnings.js';
import { nameWarnings } from './template.js';

const defaultGraceSeconds = 30;

/** Taints of a node that is lost: its pods leave it after a while, unless they say otherwise. */
const lossTaints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];

/** `tolerationSeconds`: how long pods stay on a node that is not ready or cannot be reached; 300 in Kubernetes. */
export function podStrategy(tolerationSeconds = 300): Strategy<Pod> {
  return {
    prepareForCreate: (context, pod) => {
      admitMirror(context, pod);
      const { now } = context;
      const spec = pod.spec && withAdmissionDefaults(pod.spec, tolerationSeconds, isMirrorPod(pod));
      const status = { phase: 'Pending', qosClass: qosClassOf(pod.spec), ...gatedStatus(pod, now) };
      return { ...pod, spec, status };
    },
    prepareForUpdate: (_context, pod, old) => ({
      ...pod,
      spec: pod.spec && {
        ...pod.spec,
        tolerations: withLossTolerations(pod.spec.tolerations ?? [], tolerationSeconds),
      },
      status: old.status,
    }),
    prepareForStatusUpdate: (_context, pod, old) => ({
      ...old,
      status: { ...pod.status, qosClass: old.status?.qosClass ?? qosClassOf(old.spec) },
    }),
    validate: (pod) => {
      if (!pod.spec) return [required('spec.containers')];
      return validatePodSpec('spec', pod.spec);
    },
    validateCreate: (pod) =>
      pod.spec?.ephemeralContainers?.length
        ? [forbiddenField('spec.ephemeralContainers', 'cannot be set on create'), ...validateMirror(pod)]
        : validateMirror(pod),
    validateUpdate: (pod, old) => [...validatePodUpdate(pod, old), ...validateMirrorUpdate(pod, old)],
    prepareForSubresourceUpdate: (subresource, _context, pod, old) => {
      if (subresource === 'ephemeralcontainers') return withEphemeralContainers(pod, old);
      return subresource === 'resize' ? withResources(pod, old) : undefined;
    },
    validateSubresourceUpdate: (subresource, pod, old) =>
      subresource === 'resize' ? validateResize(pod, old) : validateEphemeralUpdate(pod, old),
    warnings: ({ metadata, spec }, old) =>
      old || !spec
        ? []
        : [...nameWarnings(metadata, "the Pod's hostname"), ...podWarnings('', metadata, spec)],
    fields: ({ spec, status }) => ({
      'spec.nodeName': spec?.nodeName ?? '',
      'spec.restartPolicy': spec?.restartPolicy ?? '',
      'spec.schedulerName': spec?.schedulerName ?? '',
      'spec.serviceAccountName': spec?.serviceAccountName ?? '',
      'spec.hostNetwork': String(spec?.hostNetwork ?? false),
      'status.phase': status?.phase ?? '',
      'status.podIP': status?.podIP ?? '',
      'status.nominatedNodeName': status?.nominatedNodeName ?? '',
    }),
    gracePeriodSeconds,
  };
}

/** What the admission plugins ServiceAccount and DefaultTolerationSeconds of Kubernetes fill in; mirrors have no account. */
function withAdmissionDefaults(spec: PodSpec, tolerationSeconds: number, isMirror: boolean): PodSpec {
  const name = spec.serviceAccountName || spec.serviceAccount || 'default';
  return {
    ...spec,
    ...(!isMirror && { serviceAccountName: name, serviceAccount: name }),
    tolerations: withLossTolerations(spec.tolerations ?? [], tolerationSeconds),
  };
}

function withLossTolerations(tolerations: readonly Toleration[], seconds: number): Toleration[] {
  const covers = (toleration: Toleration, key: string): boolean =>
    (!toleration.key || toleration.key === key) && (!toleration.effect || toleration.effect === 'NoExecute');
  const missing = lossTaints.filter((key) => !tolerations.some((toleration) => covers(toleration, key)));
  const added = missing.map((key) => ({
    key,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: seconds,
  }));
  return [...tolerations, ...added];
}

/** Nobody has to be waited for when no node runs the pod or its containers have ended. */
function gracePeriodSeconds({ spec, status }: Pod, asked: number | undefined): number {
  const hasEnded = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  if (!spec?.nodeName || hasEnded) return 0;
  const seconds = asked ?? spec.terminationGracePeriodSeconds ?? defaultGraceSeconds;
  return seconds < 0 ? 1 : seconds;
}
