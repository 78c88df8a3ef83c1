/**
 * 8. What a CRI runtime says of itself: its version, cgroup driver, what it can, how it is configured. Used by cri.ts.
 *
 * Part of it is in CRI, part only in the configuration that containerd prints in a verbose status.
 */
import { access, readFile } from 'node:fs/promises';
import { hasCode } from '../../../src/host/files.js';
import { RuntimeError, type RuntimeVersion } from '../runtime.js';
import { type CriClient, deadlines } from './client.js';
import { isUnimplemented } from './errors.js';
import type { RuntimeStatus, StatusResponse } from './generated/protocol.js';

/** The configuration of containerd's CRI plugin, as far as it matters. */
interface PluginConfig {
  sandboxImage?: string;
  cni?: { confDir?: string };
  containerd?: {
    defaultRuntimeName?: string;
    runtimes?: Record<string, { options?: { SystemdCgroup?: boolean } | null }>;
  };
}

export interface RuntimeFacts {
  version: RuntimeVersion;
  /** Name of the image of sandboxes; undefined when the runtime does not tell. */
  sandboxImage: string | undefined;
  /** Directory of the network configuration; undefined when the runtime does not tell. */
  cniConfDirectory: string | undefined;
}

export async function readFacts(client: CriClient): Promise<RuntimeFacts> {
  const [version, status, host] = await Promise.all([
    client.call('version', {}, deadlines.quick),
    client.call('status', { verbose: true }, deadlines.quick),
    readHost(),
  ]);
  refuseUnready(status.status);
  const config: PluginConfig = JSON.parse(status.info['config'] ?? '{}');
  return {
    version: {
      name: version.runtimeName,
      version: version.runtimeVersion,
      apiVersion: version.runtimeApiVersion,
      cgroupDriver: await cgroupDriverOf(client, config),
      features: {
        imageVolumes: version.runtimeName === 'containerd' && isAtLeast(version.runtimeVersion, 2, 1),
        recursiveReadOnly: status.runtimeHandlers.some(
          ({ name, features }) => name === '' && features?.recursiveReadOnlyMounts === true,
        ),
        userNamespaces: false,
        strictSupplementalGroups: status.features?.supplementalGroupsPolicy ?? false,
        runtimeHandlers: handlersOf(status, config),
        ...host,
      },
    },
    sandboxImage: config.sandboxImage || undefined,
    cniConfDirectory: config.cni?.confDir || undefined,
  };
}

/** A runtime that says itself that it is not ready counts as away. */
export function refuseUnready(status: RuntimeStatus | null): void {
  const ready = status?.conditions.find(({ type }) => type === 'RuntimeReady');
  if (ready && !ready.status)
    throw new RuntimeError('unavailable', `container runtime: ${ready.message || ready.reason}`);
}

/** Why the runtime's network is not ready; '' when it is. */
export function networkTroubleOf(status: RuntimeStatus | null): string {
  const ready = status?.conditions.find(({ type }) => type === 'NetworkReady');
  return ready && !ready.status ? ready.message || ready.reason : '';
}

async function cgroupDriverOf(
  client: CriClient,
  config: PluginConfig,
): Promise<RuntimeVersion['cgroupDriver']> {
  try {
    const { linux } = await client.call('runtimeConfig', {}, deadlines.quick);
    if (linux) return linux.cgroupDriver === 'SYSTEMD' ? 'systemd' : 'cgroupfs';
  } catch (error) {
    if (!isUnimplemented(error)) throw error;
  }
  const { defaultRuntimeName = 'runc', runtimes = {} } = config.containerd ?? {};
  return runtimes[defaultRuntimeName]?.options?.SystemdCgroup ? 'systemd' : 'cgroupfs';
}

function handlersOf({ runtimeHandlers }: StatusResponse, config: PluginConfig): string[] {
  const told = runtimeHandlers.map(({ name }) => name).filter((name) => name !== '');
  return told.length > 0 ? told : Object.keys(config.containerd?.runtimes ?? {});
}

/** Compares the first two numbers of a version. */
export function isAtLeast(version: string, major: number, minor: number): boolean {
  const [, first, second] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(first) > major || (Number(first) === major && Number(second) >= minor);
}

/** The agent lives on the runtime's host, so the kernel can be asked itself. */
export async function readHost(): Promise<{ seccomp: boolean; appArmor: boolean }> {
  const read = (path: string): Promise<string> =>
    readFile(path, 'utf8').catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return '';
      throw error;
    });
  const [status, appArmor] = await Promise.all([
    read('/proc/self/status'),
    read('/sys/module/apparmor/parameters/enabled'),
  ]);
  return { seccomp: /^Seccomp:/m.test(status), appArmor: appArmor.startsWith('Y') };
}

export const hasCgroup2 = (): Promise<boolean> =>
  access('/sys/fs/cgroup/cgroup.controllers').then(
    () => true,
    () => false,
  );
