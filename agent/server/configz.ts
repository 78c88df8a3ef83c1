/**
 * `/configz`: the agent's settings as the `KubeletConfiguration` they amount to. Pure. Called by the composition root.
 */
import type { AgentOptions } from '../options.js';
import type { Page } from './pages.js';

export function configzPage(options: AgentOptions, cgroupDriver: string): Page {
  const body = JSON.stringify({ kubeletconfig: kubeletConfiguration(options, cgroupDriver) });
  return () => ({ contentType: 'application/json', body });
}

const seconds = (ms: number): string => `${ms / 1000}s`;

/** Only what the agent acts on; secrets have no place in it. */
export const kubeletConfiguration = (options: AgentOptions, cgroupDriver: string): object => ({
  kind: 'KubeletConfiguration',
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  address: options.bindAddress,
  port: options.agentPort,
  readOnlyPort: 0,
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true, cacheTTL: '2m0s' },
    x509: {},
  },
  authorization: {
    mode: 'Webhook',
    webhook: { cacheAuthorizedTTL: '5m0s', cacheUnauthorizedTTL: '30s' },
  },
  cgroupRoot: options.cgroupRoot,
  cgroupDriver,
  cpuCFSQuota: options.cpuCfsQuota,
  enforceNodeAllocatable: options.enforceNodeAllocatable,
  systemReserved: options.systemReserved,
  kubeReserved: options.kubeReserved,
  maxPods: options.maxPods,
  podPidsLimit: options.podMaxPids ?? -1,
  registerWithTaints: options.registerWithTaints,
  containerRuntimeEndpoint: `unix://${options.runtimeEndpoint}`,
  serializeImagePulls: options.maxParallelImagePulls === 1,
  maxParallelImagePulls: options.maxParallelImagePulls,
  shutdownGracePeriod: seconds(options.shutdownGracePeriodMs),
  shutdownGracePeriodCriticalPods: seconds(options.shutdownGracePeriodCriticalPodsMs),
  streamingConnectionIdleTimeout: seconds(options.streamingConnectionIdleTimeoutMs),
  podLogsDir: `${options.logDirectory}/pods`,
});
