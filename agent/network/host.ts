/**
 * What the pod network needs of the host, whoever runs CNI: kernel settings, rules of the packet filter, the size of
 * packets. Used by `pods.ts` and `runtime-network.ts`.
 */
import { createController } from '../../src/client/controller.js';
import type { Clock } from '../../src/host/clock.js';
import type { Exec } from '../../src/host/exec.js';
import type { Logger } from '../../src/host/log.js';
import type { Firewall } from '../services/firewall.js';
import { findUnderlay, vxlanOverheadBytes } from './links.js';
import { networkJumps, renderNetworkRules } from './masquerade.js';
import { applySysctls, podNetworkSysctls } from './sysctl.js';

export interface HostNetworkOptions {
  nodeIp: string;
  clusterCidr: string;
  /** Where the old kernel settings are kept. */
  sysctlsFile: string;
  firewall: Firewall;
  exec: Exec;
  clock: Clock;
  log: Logger;
  /** Of the pods' interfaces; by default what VXLAN leaves of the underlay's. */
  mtuBytes?: number | undefined;
}

export interface HostNetwork {
  /** Resolves with the MTU of the pods' interfaces, in bytes. */
  start(signal: AbortSignal): Promise<number>;
  stop(): Promise<void>;
  /** Why it is not as it has to be; '' when it is. */
  trouble(): string;
}

export function createHostNetwork(options: HostNetworkOptions): HostNetwork {
  const { nodeIp, clusterCidr, firewall, exec, clock, log } = options;
  let unsubscribe = (): void => undefined;
  let rulesError = 'rules are not written yet';

  const rules = createController({
    name: 'pod-network-rules',
    sources: [],
    clock,
    log,
    reconciler: {
      async reconcile() {
        try {
          await firewall.restore(renderNetworkRules(clusterCidr));
          for (const jump of networkJumps) await firewall.ensureJump(jump);
          rulesError = '';
        } catch (error) {
          rulesError = String(error);
          throw error;
        }
        return undefined;
      },
    },
  });

  return {
    async start(signal) {
      await applySysctls(podNetworkSysctls, { stateFile: options.sysctlsFile });
      const mtuBytes = options.mtuBytes || (await findUnderlay(exec, nodeIp)).mtuBytes - vxlanOverheadBytes;
      await rules.start(signal);
      rules.enqueue('rules');
      unsubscribe = firewall.onFlushed(() => rules.enqueue('rules'));
      return mtuBytes;
    },
    async stop() {
      unsubscribe();
      await rules.stop();
    },
    trouble: () => (rulesError === '' ? '' : `packet filter: ${rulesError}`),
  };
}
