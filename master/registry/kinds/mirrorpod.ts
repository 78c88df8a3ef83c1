/**
 * Mirror pods: the objects that a node makes for its static pods. Pure. What the documented admission plugins
 * NodeRestriction and ServiceAccount ask of them: nodes make no other pods, and only for themselves, and none that would
 * give them what is in the API.
 */
import { type FieldError, forbidden } from '../../../src/api/errors.js';
import type { Pod } from '../../../src/api/types.js';
import { nodeOfUser } from '../../auth/nodeuser.js';
import type { StrategyContext } from '../strategy.js';
import { forbiddenField, invalidValue } from '../validation/field.js';

const annotation = 'kubernetes.io/config.mirror';
const path = `metadata.annotations[${annotation}]`;

const markOf = ({ metadata }: Pod): string | undefined => metadata.annotations?.[annotation];

export const isMirrorPod = (pod: Pod): boolean => markOf(pod) !== undefined;

/** Throws `Forbidden` for what a node, or anybody, may not create. */
export function admitMirror({ user, groups }: StrategyContext, pod: Pod): void {
  const node = nodeOfUser(user, groups);
  const refuse = (why: string): never => {
    throw forbidden({ group: '', resource: 'pods', name: pod.metadata.name ?? '' }, why);
  };
  if (node !== undefined) {
    if (!isMirrorPod(pod))
      refuse(`pod does not have "${annotation}" annotation, node "${node}" can only create mirror pods`);
    if (pod.spec?.nodeName !== node)
      refuse(`node "${node}" can only create pods with spec.nodeName set to itself`);
    const [owner, ...others] = pod.metadata.ownerReferences ?? [];
    const isOwned = owner?.apiVersion === 'v1' && owner.kind === 'Node' && owner.name === node;
    if (!isOwned || others.length > 0 || !owner.controller || owner.blockOwnerDeletion)
      refuse(`node "${node}" can only create pods with an owner reference set to itself`);
  }
  if (!isMirrorPod(pod)) return;
  const what = referenced(pod);
  if (what) refuse(`a mirror pod may not reference ${what}`);
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
