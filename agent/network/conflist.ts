/**
 * What the pod network is made of: a CNI network configuration list, from a directory or built in. Pure but for `load`.
 *
 * A configuration in the directory wins over the built-in one, as with other container managers: the first file by
 * name that ends in .conflist, .conf or .json (CNI specification, section 1). The default network is a bridge with
 * host-local addresses; it never masquerades (`masquerade.ts` does, so that pods see each other's real address).
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../src/host/files.js';
import type { PortMapping } from './network.js';

export interface PluginConfig {
  type: string;
  /** Which of the caller's facts the plugin wants as `runtimeConfig`. */
  capabilities?: Record<string, boolean>;
  [field: string]: unknown;
}

export interface NetworkConfig {
  cniVersion: string;
  name: string;
  disableCheck?: boolean;
  plugins: readonly PluginConfig[];
}

export interface DefaultNetwork {
  bridge: string;
  podCidr: string;
  /** Where host-local keeps one file per address. */
  ipamDirectory: string;
  mtuBytes: number;
}

/** Name of the built-in network; also the folder of its addresses below `ipamDirectory`. */
export const defaultNetworkName = 'wherry';

/** Where a runtime that runs CNI itself finds the built-in network. */
export const conflistName = '10-wherry.conflist';

/** The built-in network. `portmap` costs a process per pod, so it is only there for pods that ask for host ports. */
export function defaultNetwork(
  options: DefaultNetwork,
  portMappings: readonly PortMapping[] | 'any',
): NetworkConfig {
  const bridge: PluginConfig = {
    type: 'bridge',
    bridge: options.bridge,
    isGateway: true,
    isDefaultGateway: true,
    hairpinMode: true,
    ipMasq: false,
    mtu: options.mtuBytes,
    ipam: { type: 'host-local', dataDir: options.ipamDirectory, ranges: [[{ subnet: options.podCidr }]] },
  };
  const portmap: PluginConfig = { type: 'portmap', capabilities: { portMappings: true }, snat: true };
  return {
    cniVersion: '1.0.0',
    name: defaultNetworkName,
    plugins: portMappings.length > 0 ? [bridge, portmap] : [bridge],
  };
}

/**
 * Whether it is the built-in network as most pods have it, without host ports: the kernel takes its links away with
 * the namespace, and what is left are the addresses' files, which need no process to remove.
 */
export function leavesOnlyAddresses({ name, plugins }: NetworkConfig, ipamDirectory: string): boolean {
  const [bridge, ...others] = plugins;
  if (name !== defaultNetworkName || bridge?.type !== 'bridge' || others.length > 0) return false;
  const ipam = bridge['ipam'];
  return isRecord(ipam) && ipam['type'] === 'host-local' && ipam['dataDir'] === ipamDirectory;
}

/** Loopback inside the namespace; needed where the runtime does not bring it up itself. */
export const loopbackNetwork: NetworkConfig = {
  cniVersion: '1.0.0',
  name: 'loopback',
  plugins: [{ type: 'loopback' }],
};

const versions = new Set(['0.3.0', '0.3.1', '0.4.0', '1.0.0']);

/** Reads one file: a list, or a single plugin, which becomes a list of one. Throws with the file's name. */
export function parseNetworkConfig(text: string, file: string): NetworkConfig {
  let conf: unknown;
  try {
    conf = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${file}: not JSON`, { cause });
  }
  if (!isRecord(conf)) throw new Error(`${file}: not a JSON object`);
  const { name, cniVersion = '0.3.1', plugins, disableCheck } = conf;
  if (typeof name !== 'string' || name === '') throw new Error(`${file}: name is missing`);
  if (typeof cniVersion !== 'string' || !versions.has(cniVersion)) {
    throw new Error(`${file}: cniVersion ${String(cniVersion)} is none of ${[...versions].join(', ')}`);
  }
  const list = plugins === undefined ? [conf] : plugins;
  if (!Array.isArray(list) || list.length === 0 || !list.every(isPlugin)) {
    throw new Error(`${file}: plugins must be a list of objects that have a type`);
  }
  return { cniVersion, name, plugins: list, ...(disableCheck === true && { disableCheck }) };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isPlugin = (value: unknown): value is PluginConfig =>
  isRecord(value) && typeof value['type'] === 'string' && /^[^/\0]+$/.test(value['type']);

/** Names of the configurations that the directory holds, in the order in which they count. */
export async function networkConfigNames(directory: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    return names.filter((name) => /\.(conflist|conf|json)$/.test(name)).sort();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/** The configuration that the directory holds; `undefined` when it has none or does not exist. */
export async function loadNetworkConfig(directory: string): Promise<NetworkConfig | undefined> {
  const [first] = await networkConfigNames(directory);
  if (first === undefined) return undefined;
  const file = join(directory, first);
  return parseNetworkConfig(await readFile(file, 'utf8'), file);
}
