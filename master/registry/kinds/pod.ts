/**
 * The strategy of Pods: what a new one starts with, what may be written, how it is deleted. Pure.
 */

import { qosClassOf } from '../../../src/api/qos.js';
import type { Pod } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { forbiddenField, required } from '../validation/field.js';
import { admitMirror, validateMirror, validateMirrorUpdate } from './mirrorpod.js';
import { validateEphemeralUpdate, withEphemeralContainers } from './podephemeral.js';
import { gatedStatus } from './podgates.js';
import { validateResize, withResources } from './podresize.js';
import { validatePodSpec } from './podspec.js';
import { validatePodUpdate } from './podupdate.js';
import { podWarnings } from './podwarnings.js';
import { nameWarnings } from './template.js';

const defaultGraceSeconds = 30;

export const podStrategy: Strategy<Pod> = {
  prepareForCreate: (context, pod) => {
    admitMirror(pod);
    const { now } = context;
    const status = { phase: 'Pending', qosClass: qosClassOf(pod.spec), ...gatedStatus(pod, now) };
    return { ...pod, status };
  },
  prepareForUpdate: (_context, pod, old) => ({ ...pod, status: old.status }),
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
    old || !spec ? [] : [...nameWarnings(metadata, "the Pod's hostname"), ...podWarnings('', metadata, spec)],
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

/** Nobody has to be waited for when no node runs the pod or its containers have ended. */
function gracePeriodSeconds({ spec, status }: Pod, asked: number | undefined): number {
  const hasEnded = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  if (!spec?.nodeName || hasEnded) return 0;
  const seconds = asked ?? spec.terminationGracePeriodSeconds ?? defaultGraceSeconds;
  return seconds < 0 ? 1 : seconds;
}
