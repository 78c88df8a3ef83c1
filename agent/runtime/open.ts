/**
 * 8. The runtime that the flags name, ready to use. Called by the agent's composition root and by its clean-up.
 *
 * Each is loaded only when it is wanted: an agent on Docker carries no gRPC, one on containerd no dockerode.
 */
import type { Clock } from '../../src/host/clock.js';
import type { Component } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import type { NetworkingRuntime } from '../network/runtime-network.js';
import type { Runtime } from './runtime.js';

export type RuntimeName = 'docker' | 'containerd';

/** Sockets where the runtimes of distributions listen. */
export const defaultSockets: Readonly<Record<RuntimeName, string>> = {
  docker: '/var/run/docker.sock',
  containerd: '/run/containerd/containerd.sock',
};

export interface OpenRuntimeOptions {
  name: RuntimeName;
  socketPath: string;
  node: string;
  log: Logger;
  clock: Clock;
  oomScoreFloor?: number;
  /** Pods' logs go below this one, where the runtime leaves that to us: `/var/log`. */
  logDirectory: string;
}

export interface OpenRuntime {
  runtime: Runtime;
  /** Of a runtime that runs CNI itself. */
  network: NetworkingRuntime | undefined;
  /** What has to go on beside it while the agent runs. */
  parts: readonly Component[];
  close(): Promise<void>;
}

export async function openRuntime(options: OpenRuntimeOptions): Promise<OpenRuntime> {
  return options.name === 'docker' ? openDocker(options) : openContainerd(options);
}

async function openDocker(options: OpenRuntimeOptions): Promise<OpenRuntime> {
  const { DockerRuntime } = await import('./docker.js');
  const runtime = new DockerRuntime(options);
  return { runtime, network: undefined, parts: [], close: async () => runtime.close() };
}

async function openContainerd(options: OpenRuntimeOptions): Promise<OpenRuntime> {
  const [{ CriRuntime }, { createLogRotation }] = await Promise.all([
    import('./cri/cri.js'),
    import('./cri/rotation.js'),
  ]);
  const { clock, log, logDirectory } = options;
  const runtime = new CriRuntime({ ...options, logRoot: `${logDirectory}/pods` });
  const rotation = createLogRotation({ owner: runtime.logOwner, clock, log });
  return { runtime, network: runtime, parts: [rotation], close: () => runtime.close() };
}
