/**
 * Everything a pod's sandbox needs before it can be made, resolved into a `SandboxSpec`. Called by `startup.ts`.
 * Throws `ConfigError` for what this node cannot do; the pod then waits with FailedCreatePodSandBox.
 */
import type { Pod } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import type { SandboxSpec } from '../runtime/runtime.js';
import type { FeatureReader } from './features.js';
import { kernelHostname } from './hostname.js';
import { sandboxLabels, sandboxName } from './names.js';
import { ConfigError, type PodCgroups } from './needs.js';
import { portMappingsOf } from './networking.js';
import type { PodConfig } from './nodeconfig.js';
import { runtimeHandlerOf } from './runtimeclass.js';
import { seLinuxLabels } from './security.js';
import { forbiddenSysctls, sysctlName } from './sysctls.js';
import { unsupportedInPod } from './unsupported.js';

export type PrepareSandbox = (pod: Pod, attempt: number) => Promise<SandboxSpec>;

export interface SandboxOptions {
  client: Client;
  features: FeatureReader;
  cgroups: Pick<PodCgroups, 'parentOf'>;
  config: PodConfig;
  nodeName: string;
}

export const createSandboxPreparation =
  ({ client, features, cgroups, config, nodeName }: SandboxOptions): PrepareSandbox =>
  async (pod, attempt) => {
    const known = await features();
    const refused = unsupportedInPod(pod, known);
    if (refused.length > 0) throw notSupported(refused);
    const [forbidden] = forbiddenSysctls(pod, config.allowedUnsafeSysctls);
    if (forbidden) throw new ConfigError(`spec.securityContext.sysctls: ${forbidden}`);
    const runtimeHandler = await runtimeHandlerOf(pod, client, known);
    const facts = { attempt, nodeName, cgroupParent: cgroups.parentOf(pod), runtimeHandler };
    return buildSandbox(pod, { ...facts, clusterDomain: config.clusterDomain });
  };

export const notSupported = (fields: readonly string[]): ConfigError =>
  new ConfigError(`not supported by this node: ${fields.join(', ')}`);

export interface SandboxFacts {
  attempt: number;
  nodeName: string;
  cgroupParent: string;
  clusterDomain: string;
  runtimeHandler?: string | undefined;
}

/** Pure. */
export function buildSandbox(pod: Pod, facts: SandboxFacts): SandboxSpec {
  const { spec } = pod;
  const mappings = portMappingsOf(pod);
  const security = sandboxSecurity(pod);
  return {
    name: sandboxName(pod, facts.attempt),
    labels: sandboxLabels(pod, facts.nodeName, facts.attempt),
    hostname: kernelHostname(pod, facts.clusterDomain),
    network: spec?.hostNetwork ? 'host' : 'pod',
    pid: spec?.hostPID ? 'host' : spec?.shareProcessNamespace ? 'pod' : 'container',
    ipc: spec?.hostIPC ? 'host' : 'pod',
    cgroupParent: facts.cgroupParent,
    sysctls: Object.fromEntries(
      (spec?.securityContext?.sysctls ?? []).map(({ name, value }) => [sysctlName(name), value]),
    ),
    ...(mappings.length > 0 && { portMappings: mappings }),
    ...(facts.runtimeHandler && { runtimeHandler: facts.runtimeHandler }),
    ...(spec?.hostUsers === false && { userNamespace: true }),
    ...(Object.keys(security).length > 0 && { security }),
  };
}

function sandboxSecurity({ spec }: Pod): NonNullable<SandboxSpec['security']> {
  const labels = seLinuxLabels(spec?.securityContext?.seLinuxOptions);
  const all = [
    ...(spec?.initContainers ?? []),
    ...(spec?.containers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ];
  const privileged = all.some(({ securityContext }) => securityContext?.privileged);
  return { ...(labels.length > 0 && { seLinuxLabels: labels }), ...(privileged && { privileged: true }) };
}
