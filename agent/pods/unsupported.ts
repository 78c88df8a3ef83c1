/**
 * What this node cannot honour yet. Pure. A pod that asks for it waits with a message that names the field, it is never
 * run as if the field were not there. The list is part of docs/compatibility.md.
 */
import type { Container, Pod, Probe } from '../../src/api/types.js';

/** Paths of the fields, relative to the pod; empty when everything can be honoured. */
export const unsupportedFields = (pod: Pod, spec: Container): string[] => [
  ...ofPod(pod).map((field) => `spec.${field}`),
  ...ofContainer(spec, (pod.spec?.initContainers ?? []).includes(spec)).map(
    (field) => `spec.containers{${spec.name}}.${field}`,
  ),
];

type Check = [isAsked: boolean, field: string];

const asked = (checks: readonly Check[]): string[] =>
  checks.flatMap(([isAsked, field]) => (isAsked ? [field] : []));

/** The runtime's default is what we use; anything else would need support by the runtime seam. */
const isOwnProfile = (profile: { type: string } | undefined): boolean =>
  profile !== undefined && profile.type !== 'RuntimeDefault';

function ofPod({ spec }: Pod): string[] {
  const security = spec?.securityContext;
  return asked([
    [spec?.runtimeClassName !== undefined, 'runtimeClassName'],
    [spec?.hostUsers === false, 'hostUsers'],
    [spec?.setHostnameAsFQDN === true, 'setHostnameAsFQDN'],
    [spec?.hostnameOverride !== undefined, 'hostnameOverride'],
    [(spec?.resourceClaims ?? []).length > 0, 'resourceClaims'],
    [spec?.resources !== undefined, 'resources'],
    [spec?.os?.name === 'windows', 'os'],
    [security?.windowsOptions !== undefined, 'securityContext.windowsOptions'],
    [security?.supplementalGroupsPolicy === 'Strict', 'securityContext.supplementalGroupsPolicy'],
    [isOwnProfile(security?.seccompProfile), 'securityContext.seccompProfile'],
    [isOwnProfile(security?.appArmorProfile), 'securityContext.appArmorProfile'],
  ]);
}

function ofContainer(spec: Container, isInit: boolean): string[] {
  const security = spec.securityContext;
  const isGrpc = (probe: Probe | undefined): boolean => probe?.grpc !== undefined;
  const hasHugePages = Object.keys(spec.resources?.limits ?? {}).some((name) =>
    name.startsWith('hugepages-'),
  );
  return asked([
    [(spec.volumeDevices ?? []).length > 0, 'volumeDevices'],
    [(spec.restartPolicyRules ?? []).length > 0, 'restartPolicyRules'],
    [spec.restartPolicy !== undefined && !(isInit && spec.restartPolicy === 'Always'), 'restartPolicy'],
    [(spec.resources?.claims ?? []).length > 0, 'resources.claims'],
    [hasHugePages, 'resources.limits.hugepages'],
    [isGrpc(spec.livenessProbe), 'livenessProbe.grpc'],
    [isGrpc(spec.readinessProbe), 'readinessProbe.grpc'],
    [isGrpc(spec.startupProbe), 'startupProbe.grpc'],
    [
      (spec.volumeMounts ?? []).some((mount) => mount.recursiveReadOnly === 'Enabled'),
      'volumeMounts.recursiveReadOnly',
    ],
    [security?.windowsOptions !== undefined, 'securityContext.windowsOptions'],
    [(security?.procMount ?? 'Default') !== 'Default', 'securityContext.procMount'],
    [isOwnProfile(security?.seccompProfile), 'securityContext.seccompProfile'],
    [isOwnProfile(security?.appArmorProfile), 'securityContext.appArmorProfile'],
  ]);
}
