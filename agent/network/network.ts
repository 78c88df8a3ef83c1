/**
 * Contract: the network of pods, as `agent/pods` sees it.
 *
 * `setUp` is idempotent: a sandbox that has its address gets the same answer again, also after a restart of the agent.
 * `tearDown` is idempotent and works for a sandbox whose namespace is already gone (its address is given back).
 */
import type { Component } from '../../src/host/component.js';

export interface PortMapping {
  hostPort: number;
  containerPort: number;
  protocol: 'TCP' | 'UDP' | 'SCTP';
  /** All addresses when ''. */
  hostIP: string;
}

export interface PodSandbox {
  /** The runtime's id of the sandbox. */
  id: string;
  podName: string;
  podNamespace: string;
  podUid: string;
  /** Path of the network namespace; '' when it is gone. */
  networkNamespace: string;
  portMappings: readonly PortMapping[];
}

export interface PodNetwork extends Component {
  /** Resolves with the pod's addresses, the primary first. */
  setUp(sandbox: PodSandbox, signal: AbortSignal): Promise<{ ips: string[] }>;
  tearDown(sandbox: PodSandbox): Promise<void>;
  /** Gives back what belongs to none of these sandboxes: addresses, veths, port mappings. */
  collectGarbage(sandboxIds: ReadonlySet<string>): Promise<void>;
}
