/**
 * 2. The checks that the restricted level has beside those of baseline: what hardened pods do not need. Pure. Fields,
 * allowed values and words are those of the Pod Security Standards; sorted by id, which is the order of messages.
 */
import { procMount, unlessInUserNamespace } from './baseline.js';
import type { Check, CheckPod, Violation } from './checks.js';
import { seccompRestricted } from './seccomp.js';
import { containersOf, counted, namesWhere, type PodLike, quoted, setters, sorted } from './subject.js';

const allowedVolumes: readonly string[] = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

/** What Linux has and Windows does not. */
const unlessWindows =
  (check: CheckPod): CheckPod =>
  (pod) =>
    pod.spec.os?.name === 'windows' ? undefined : check(pod);

function allowPrivilegeEscalation(pod: PodLike): Violation | undefined {
  const names = namesWhere(pod, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (names.length === 0) return undefined;
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${counted('container', names)} must set securityContext.allowPrivilegeEscalation=false`,
  };
}

function capabilities(pod: PodLike): Violation | undefined {
  const keeping = namesWhere(
    pod,
    ({ securityContext }) => !securityContext?.capabilities?.drop?.includes('ALL'),
  );
  const adding = containersOf(pod)
    .map(({ name, securityContext }) => ({
      name,
      added: (securityContext?.capabilities?.add ?? []).filter((one) => one !== 'NET_BIND_SERVICE'),
    }))
    .filter(({ added }) => added.length > 0);
  const details: string[] = [];
  if (keeping.length > 0)
    details.push(`${counted('container', keeping)} must set securityContext.capabilities.drop=["ALL"]`);
  if (adding.length > 0) {
    const who = counted(
      'container',
      adding.map(({ name }) => name),
    );
    const added = quoted(sorted(adding.flatMap((one) => one.added)));
    details.push(`${who} must not include ${added} in securityContext.capabilities.add`);
  }
  return details.length === 0
    ? undefined
    : { reason: 'unrestricted capabilities', detail: details.join('; ') };
}

function restrictedVolumes({ spec }: PodLike): Violation | undefined {
  const bad = (spec.volumes ?? []).flatMap(({ name, ...sources }) => {
    const types = Object.entries(sources).flatMap(([type, source]) => (source == null ? [] : [type]));
    const foreign = types.find((type) => !allowedVolumes.includes(type));
    return foreign !== undefined || types.length === 0 ? [{ name, type: foreign ?? 'unknown' }] : [];
  });
  if (bad.length === 0) return undefined;
  const who = counted(
    'volume',
    bad.map(({ name }) => name),
  );
  const types = sorted(bad.map(({ type }) => type));
  const uses = bad.length === 1 ? 'uses' : 'use';
  return {
    reason: 'restricted volume types',
    detail: `${who} ${uses} ${counted('restricted volume type', types)}`,
  };
}

function runAsNonRoot(pod: PodLike): Violation | undefined {
  const ofPod = pod.spec.securityContext?.runAsNonRoot;
  const reason = 'runAsNonRoot != true';
  const who = setters(
    ofPod === false,
    namesWhere(pod, ({ securityContext }) => securityContext?.runAsNonRoot === false),
  );
  if (who !== '') return { reason, detail: `${who} must not set securityContext.runAsNonRoot=false` };
  const silent = ofPod ? [] : namesWhere(pod, ({ securityContext }) => securityContext?.runAsNonRoot == null);
  if (silent.length === 0) return undefined;
  return {
    reason,
    detail: `pod or ${counted('container', silent)} must set securityContext.runAsNonRoot=true`,
  };
}

function runAsUser(pod: PodLike): Violation | undefined {
  const who = setters(
    pod.spec.securityContext?.runAsUser === 0,
    namesWhere(pod, ({ securityContext }) => securityContext?.runAsUser === 0),
  );
  return who === '' ? undefined : { reason: 'runAsUser=0', detail: `${who} must not set runAsUser=0` };
}

export const restrictedChecks: readonly Check[] = [
  {
    id: 'allowPrivilegeEscalation',
    versions: [
      { since: 8, check: allowPrivilegeEscalation },
      { since: 25, check: unlessWindows(allowPrivilegeEscalation) },
    ],
  },
  {
    id: 'capabilities_restricted',
    overrides: ['capabilities_baseline'],
    versions: [
      { since: 22, check: capabilities },
      { since: 25, check: unlessWindows(capabilities) },
    ],
  },
  { id: 'procMount_restricted', overrides: ['procMount'], versions: [{ since: 35, check: procMount }] },
  {
    id: 'restrictedVolumes',
    overrides: ['hostPathVolumes'],
    versions: [{ since: 0, check: restrictedVolumes }],
  },
  {
    id: 'runAsNonRoot',
    versions: [
      { since: 0, check: runAsNonRoot },
      { since: 35, check: unlessInUserNamespace(runAsNonRoot) },
    ],
  },
  {
    id: 'runAsUser',
    versions: [
      { since: 23, check: runAsUser },
      { since: 35, check: unlessInUserNamespace(runAsUser) },
    ],
  },
  {
    id: 'seccompProfile_restricted',
    overrides: ['seccompProfile_baseline'],
    versions: [
      { since: 19, check: seccompRestricted },
      { since: 25, check: unlessWindows(seccompRestricted) },
    ],
  },
];
