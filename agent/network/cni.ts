/**
 * Runs CNI plugins by the specification (1.0.0, sections 2 to 4): command in the environment, configuration on
 * stdin, result or error as JSON on stdout, each plugin of a list fed with the result of the one before.
 *
 * Called by `pods.ts`. ADD that fails leaves the namespace half done: the caller must DEL. DEL is idempotent.
 */
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import type { Exec } from '../../src/host/exec.js';
import type { NetworkConfig, PluginConfig } from './conflist.js';
import type { PortMapping } from './network.js';

export interface CniResult {
  cniVersion?: string;
  interfaces?: { name: string; mac?: string; sandbox?: string }[];
  /** `address` is in CIDR form. */
  ips?: { address: string; gateway?: string; interface?: number }[];
  [field: string]: unknown;
}

/** What a plugin reported. Codes below 100 are the specification's; 11 asks to try again later. */
export class CniError extends Error {
  override readonly name = 'CniError';
  readonly code: number;

  constructor(plugin: string, command: string, code: number, message: string) {
    super(`CNI plugin ${plugin} failed to ${command}: ${message}`);
    this.code = code;
  }
}

/** One attachment: which namespace gets which interface, and what plugins may want to know. */
export interface Attachment {
  containerId: string;
  /** '' once it is gone; only DEL takes that. */
  networkNamespace: string;
  interfaceName: string;
  args: Record<string, string>;
  portMappings: readonly PortMapping[];
}

export interface Cni {
  add(network: NetworkConfig, attachment: Attachment, signal?: AbortSignal): Promise<CniResult>;
  check(network: NetworkConfig, attachment: Attachment, result: CniResult): Promise<void>;
  /** `result` is that of ADD, as far as it got. */
  del(network: NetworkConfig, attachment: Attachment, result: CniResult | undefined): Promise<void>;
}

export interface CniOptions {
  exec: Exec;
  pluginDirectories: readonly string[];
}

type Command = 'ADD' | 'CHECK' | 'DEL';

export function createCni({ exec, pluginDirectories }: CniOptions): Cni {
  const found = new Map<string, string>();

  async function locate(type: string): Promise<string> {
    const known = found.get(type);
    if (known !== undefined) return known;
    for (const directory of pluginDirectories) {
      const file = join(directory, type);
      const isThere = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (!isThere) continue;
      found.set(type, file);
      return file;
    }
    throw new CniError(type, 'run', 4, `no such plugin in ${pluginDirectories.join(', ')}`);
  }

  async function runPlugin(
    command: Command,
    type: string,
    input: object,
    attachment: Attachment,
    signal?: AbortSignal,
  ) {
    const { code, stdout, stderr } = await exec(await locate(type), [], {
      input: JSON.stringify(input),
      env: environment(command, attachment, pluginDirectories),
      ...(signal && { signal }),
    });
    if (code !== 0) throw pluginError(type, command, stdout, stderr);
    return stdout;
  }

  return {
    async add(network, attachment, signal) {
      let result: CniResult | undefined;
      for (const plugin of network.plugins) {
        const input = pluginInput(network, plugin, attachment, result);
        const stdout = await runPlugin('ADD', plugin.type, input, attachment, signal);
        if (stdout.trim() !== '') result = parseResult(plugin.type, stdout);
      }
      return result ?? {};
    },
    async check(network, attachment, result) {
      if (network.disableCheck || !hasCheck(network)) return;
      for (const plugin of network.plugins) {
        await runPlugin('CHECK', plugin.type, pluginInput(network, plugin, attachment, result), attachment);
      }
    },
    async del(network, attachment, result) {
      for (const plugin of network.plugins.toReversed()) {
        const previous = hasCheck(network) ? result : undefined;
        await runPlugin('DEL', plugin.type, pluginInput(network, plugin, attachment, previous), attachment);
      }
    },
  };
}

/** CHECK, and the result of ADD as input of DEL, exist from 0.4.0 on. */
const hasCheck = (network: NetworkConfig): boolean => !network.cniVersion.startsWith('0.3.');

function environment(
  command: Command,
  attachment: Attachment,
  directories: readonly string[],
): Record<string, string> {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: attachment.containerId,
    CNI_NETNS: attachment.networkNamespace,
    CNI_IFNAME: attachment.interfaceName,
    CNI_ARGS: Object.entries(attachment.args)
      .map(([name, value]) => `${name}=${value}`)
      .join(';'),
    CNI_PATH: directories.join(':'),
  };
}

/** The stdin of one plugin: its own configuration, the list's name and version, and what came before. */
export function pluginInput(
  network: NetworkConfig,
  plugin: PluginConfig,
  attachment: Attachment,
  previous: CniResult | undefined,
): Record<string, unknown> {
  const { capabilities, ...own } = plugin;
  const runtimeConfig =
    capabilities?.['portMappings'] === true
      ? { portMappings: attachment.portMappings.map(toRuntimePort) }
      : undefined;
  return {
    ...own,
    name: network.name,
    cniVersion: network.cniVersion,
    ...(runtimeConfig && { runtimeConfig }),
    ...(previous && { prevResult: previous }),
  };
}

const toRuntimePort = (port: PortMapping): Record<string, unknown> => ({
  hostPort: port.hostPort,
  containerPort: port.containerPort,
  protocol: port.protocol.toLowerCase(),
  ...(port.hostIP !== '' && { hostIP: port.hostIP }),
});

function parseResult(plugin: string, stdout: string): CniResult {
  try {
    return JSON.parse(stdout) as CniResult;
  } catch {
    throw new CniError(plugin, 'ADD', 6, `its result is not JSON: ${stdout.slice(0, 200)}`);
  }
}

function pluginError(plugin: string, command: string, stdout: string, stderr: string): CniError {
  try {
    const { code, msg, details } = JSON.parse(stdout) as { code?: number; msg?: string; details?: string };
    return new CniError(plugin, command, code ?? 999, [msg, details].filter(Boolean).join(': '));
  } catch {
    return new CniError(plugin, command, 999, stderr.trim() || stdout.trim() || 'it says nothing');
  }
}

/** Addresses of the pod without prefix length, in the order of the result. */
export const addressesOf = (result: CniResult): string[] =>
  (result.ips ?? []).map((ip) => ip.address.split('/')[0] ?? '').filter((address) => address !== '');
