/**
 * From a container of a pod to what the runtime is asked to make. Pure; everything that needs I/O (image, environment,
 * mounts, security, cgroup) comes in resolved.
 */
import type { Container, Pod } from '../../src/api/types.js';
import type { ContainerSpec, Device, LinuxResources, Mount, SecuritySpec } from '../runtime/runtime.js';
import type { ContainerStart } from './actions.js';
import { expand } from './environment.js';
import { containerLabels, containerName } from './names.js';

export interface ContainerFacts {
  start: ContainerStart;
  nodeName: string;
  imageId: string;
  cgroupParent: string;
  env: ReadonlyMap<string, string>;
  mounts: readonly Mount[];
  devices: readonly Device[];
  resources: LinuxResources;
  security: SecuritySpec;
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
    security: facts.security,
    cgroupParent: facts.cgroupParent,
    ...(facts.pidOf && { pidOf: facts.pidOf }),
    ...(facts.devices.length > 0 && { devices: facts.devices }),
    ...(spec.lifecycle?.stopSignal && { stopSignal: spec.lifecycle.stopSignal }),
  };
}
