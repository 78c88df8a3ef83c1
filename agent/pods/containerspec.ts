/**
 * From a pod to what the runtime is asked to make. Pure; everything that needs I/O (image, environment, mounts, cgroup)
 * comes in resolved.
 */
import type { Container, Pod } from '../../src/api/types.js';
import type { ContainerSpec, LinuxResources, Mount, SandboxSpec, SecuritySpec } from '../runtime/runtime.js';
import type { ContainerStart } from './actions.js';
import { expand } from './environment.js';
import { containerLabels, containerName, podName, sandboxLabels, sandboxName } from './names.js';

export function buildSandbox(
  pod: Pod,
  facts: { attempt: number; nodeName: string; cgroupParent: string },
): SandboxSpec {
  const spec = pod.spec;
  return {
    name: sandboxName(pod, facts.attempt),
    labels: sandboxLabels(pod, facts.nodeName, facts.attempt),
    hostname: spec?.hostNetwork ? '' : hostnameOf(pod),
    network: spec?.hostNetwork ? 'host' : 'pod',
    pid: spec?.hostPID ? 'host' : spec?.shareProcessNamespace ? 'pod' : 'container',
    ipc: spec?.hostIPC ? 'host' : 'pod',
    cgroupParent: facts.cgroupParent,
    sysctls: Object.fromEntries(
      (spec?.securityContext?.sysctls ?? []).map(({ name, value }) => [name, value]),
    ),
  };
}

/** `spec.hostname`, or the pod's name cut to what the kernel takes. */
export const hostnameOf = (pod: Pod): string =>
  pod.spec?.hostname ||
  podName(pod)
    .slice(0, 63)
    .replace(/[-.]+$/, '');

export interface ContainerFacts {
  start: ContainerStart;
  nodeName: string;
  imageId: string;
  cgroupParent: string;
  env: ReadonlyMap<string, string>;
  mounts: readonly Mount[];
  resources: LinuxResources;
  /** The container whose process namespace it shares. */
  pidOf?: string | undefined;
}

export function buildContainer(pod: Pod, spec: Container, facts: ContainerFacts): ContainerSpec {
  const { start, env } = facts;
  const expanded = (words: readonly string[] | undefined): string[] | undefined =>
    words && words.length > 0 ? words.map((word) => expand(word, env)) : undefined;
  const command = expanded(spec.command);
  const args = expanded(spec.args);
  return {
    name: containerName(pod, spec.name, start.attempt),
    labels: containerLabels(pod, facts.nodeName, spec, {
      attempt: start.attempt,
      backoffMs: start.nextBackoffMs,
    }),
    image: facts.imageId,
    ...(command && { command }),
    ...(args && { args }),
    env: [...env].map(([name, value]) => ({ name, value })),
    ...(spec.workingDir && { workingDir: spec.workingDir }),
    mounts: facts.mounts,
    tty: spec.tty ?? false,
    stdin: spec.stdin ?? false,
    stdinOnce: spec.stdinOnce ?? false,
    resources: facts.resources,
    security: buildSecurity(pod, spec),
    cgroupParent: facts.cgroupParent,
    ...(facts.pidOf && { pidOf: facts.pidOf }),
    ...(spec.lifecycle?.stopSignal && { stopSignal: spec.lifecycle.stopSignal }),
  };
}

/** The container's security context, completed by the pod's. */
export function buildSecurity(pod: Pod, spec: Container): SecuritySpec {
  const ofPod = pod.spec?.securityContext ?? {};
  const own = spec.securityContext ?? {};
  const user = userOf(own.runAsUser ?? ofPod.runAsUser, own.runAsGroup ?? ofPod.runAsGroup);
  const groups = [
    ...(ofPod.supplementalGroups ?? []),
    ...(ofPod.fsGroup === undefined ? [] : [ofPod.fsGroup]),
  ];
  const { add = [], drop = [] } = own.capabilities ?? {};
  const labels = Object.entries(own.seLinuxOptions ?? ofPod.seLinuxOptions ?? {}).map(
    ([name, value]) => `${name}:${value}`,
  );
  return {
    ...(own.privileged && { privileged: true }),
    ...(own.readOnlyRootFilesystem && { readOnlyRootFilesystem: true }),
    ...(user && { user }),
    ...(groups.length > 0 && { supplementalGroups: groups }),
    ...(add.length > 0 && { addCapabilities: add }),
    ...(drop.length > 0 && { dropCapabilities: drop }),
    ...(own.allowPrivilegeEscalation === false && { noNewPrivileges: true }),
    ...(labels.length > 0 && { seLinuxLabels: labels }),
  };
}

function userOf(uid: number | undefined, gid: number | undefined): string | undefined {
  if (uid === undefined) return gid === undefined ? undefined : `:${gid}`;
  return gid === undefined ? String(uid) : `${uid}:${gid}`;
}
