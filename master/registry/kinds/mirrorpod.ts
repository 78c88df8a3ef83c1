/**
 * Mirror pods: the objects that a node makes for its static pods. Pure. They name nothing else of the API, as the documented
 * admission plugin ServiceAccount asks of them; what nodes may make at all is for NodeRestriction to say.
 */
import { type FieldError, forbidden } from '../../../src/api/errors.js';
import type { Pod } from '../../../src/api/types.js';
import { forbiddenField, invalidValue } from '../validation/field.js';

const annotation = 'kubernetes.io/config.mirror';
const path = `metadata.annotations[${annotation}]`;

const markOf = ({ metadata }: Pod): string | undefined => metadata.annotations?.[annotation];

export const isMirrorPod = (pod: Pod): boolean => markOf(pod) !== undefined;

/** Throws `Forbidden`. */
export function admitMirror(pod: Pod): void {
  if (!isMirrorPod(pod)) return;
  const what = referenced(pod);
  if (what) {
    const why = `a mirror pod may not reference ${what}`;
    throw forbidden({ group: '', resource: 'pods', name: pod.metadata.name ?? '' }, why);
  }
}

function referenced({ spec }: Pod): string | undefined {
  if (spec?.serviceAccountName || spec?.serviceAccount) return 'service accounts';
  const volumes = spec?.volumes ?? [];
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const variables = containers.flatMap(({ env = [] }) => env.map(({ valueFrom }) => valueFrom));
  const whole = containers.flatMap(({ envFrom = [] }) => envFrom);
  const sources = volumes.flatMap(({ projected }) => projected?.sources ?? []);
  const isSecret =
    volumes.some(({ secret }) => secret) ||
    sources.some(({ secret }) => secret) ||
    variables.some((from) => from?.secretKeyRef) ||
    whole.some(({ secretRef }) => secretRef) ||
    (spec?.imagePullSecrets ?? []).length > 0;
  if (isSecret) return 'secrets';
  const isConfigMap =
    volumes.some(({ configMap }) => configMap) ||
    sources.some(({ configMap }) => configMap) ||
    variables.some((from) => from?.configMapKeyRef) ||
    whole.some(({ configMapRef }) => configMapRef);
  if (isConfigMap) return 'configmaps';
  if (sources.some(({ serviceAccountToken }) => serviceAccountToken))
    return 'service account token volume projections';
  return volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim)
    ? 'persistentvolumeclaims'
    : undefined;
}

export const validateMirror = (pod: Pod): FieldError[] =>
  isMirrorPod(pod) && !pod.spec?.nodeName
    ? [invalidValue(path, markOf(pod), 'must set spec.nodeName if mirror pod annotation is set')]
    : [];

/** Nothing becomes a mirror, or stops being one. */
export function validateMirrorUpdate(pod: Pod, old: Pod): FieldError[] {
  if (markOf(pod) === markOf(old)) return [];
  const why = isMirrorPod(old)
    ? 'may not remove or update mirror pod annotation'
    : 'may not add mirror pod annotation';
  return [forbiddenField(path, why)];
}
