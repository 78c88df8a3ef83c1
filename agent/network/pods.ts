/**
 * 8. The network of pods: runs CNI on the namespace of each sandbox and remembers what came out. See `network.ts`
 * for what it promises.
 *
 * Called by `agent/pods` (setUp, tearDown, collectGarbage) and wired by `agent/main.ts`. Sandboxes are independent of
 * each other, nothing here serialises them. The default network needs the node's pod range, which the node controller
 * of the master writes into `spec.podCIDR`; until then `setUp` fails and the component is not healthy.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Node } from '../../src/api/types.js';
import type { Source } from '../../src/client/cache.js';
import type { Clock } from '../../src/host/clock.js';
import { healthyNow } from '../../src/host/component.js';
import { type Exec, run } from '../../src/host/exec.js';
import { namesIn } from '../../src/host/files.js';
import type { Logger } from '../../src/host/log.js';
import type { Firewall } from '../services/firewall.js';
import { type Attachment, addressesOf, createCni } from './cni.js';
import {
  defaultNetwork,
  defaultNetworkName,
  leavesOnlyAddresses,
  loadNetworkConfig,
  loopbackNetwork,
  type NetworkConfig,
} from './conflist.js';
import { createHostNetwork } from './host.js';
import { deleteLink, ipJson } from './links.js';
import { localAddresses, namespaceId } from './namespace.js';
import type { PodNetwork, PodSandbox, PortMapping } from './network.js';
import { createRecords, type NetworkRecord } from './records.js';

export interface PodNetworkOptions {
  nodeName: string;
  /** The address of this node that other nodes use. */
  nodeIp: string;
  clusterCidr: string;
  /** The agent's own directory, `<data-dir>/agent`. */
  dataDirectory: string;
  nodes: Pick<Source<Node>, 'get' | 'onChange'>;
  firewall: Firewall;
  clock: Clock;
  log: Logger;
  exec?: Exec;
  /** `/etc/cni/net.d`; a configuration in there replaces the default network. */
  confDirectory?: string;
  pluginDirectories?: readonly string[];
  bridge?: string;
  /** Of the pods' interfaces; by default what VXLAN leaves of the underlay's. */
  mtuBytes?: number;
}

export const defaultBridge = 'wherry0';
export const defaultPluginDirectories = ['/opt/cni/bin', '/usr/lib/cni'];
const interfaceName = 'eth0';
/** Garbage collection leaves a sandbox alone for this long: its caller's list may be older than the sandbox. */
const youngMs = 60_000;

/** Where things are kept below the agent's directory. */
export const networkPaths = (dataDirectory: string) => ({
  ipam: join(dataDirectory, 'cni', 'ipam'),
  records: join(dataDirectory, 'cni', 'sandboxes'),
  sysctls: join(dataDirectory, 'sysctls.json'),
});

export function createPodNetwork(options: PodNetworkOptions): PodNetwork {
  const { nodeName, nodeIp, clusterCidr, nodes, firewall, clock, exec = run } = options;
  const bridge = options.bridge ?? defaultBridge;
  const log = options.log.child({ component: 'pod-network' });
  const paths = networkPaths(options.dataDirectory);
  const records = createRecords(paths.records);
  const pluginDirectories = options.pluginDirectories ?? defaultPluginDirectories;
  const cni = createCni({ exec, pluginDirectories });
  /** Sandboxes that are being set up, and those that a list made a moment ago may not know yet. */
  const busy = new Set<string>();
  const young = new Set<string>();
  let mtuBytes = 0;
  const host = createHostNetwork({
    ...{ nodeIp, clusterCidr, firewall, exec, clock, log },
    sysctlsFile: paths.sysctls,
    mtuBytes: options.mtuBytes,
  });
  let hasCustomNetwork = false;
  const podCidr = (): string => nodes.get({ name: nodeName })?.spec?.podCIDR ?? '';

  async function networkFor(portMappings: readonly PortMapping[]): Promise<NetworkConfig> {
    const custom = await loadNetworkConfig(options.confDirectory ?? '/etc/cni/net.d');
    hasCustomNetwork = custom !== undefined;
    if (custom) return custom;
    if (podCidr() === '') throw new Error(`node ${nodeName} has no pod range (spec.podCIDR) yet`);
    return defaultNetwork({ bridge, podCidr: podCidr(), ipamDirectory: paths.ipam, mtuBytes }, portMappings);
  }

  async function undo(record: NetworkRecord, networkNamespace: string): Promise<void> {
    const isSame = (await namespaceId(networkNamespace)) === record.namespaceId;
    if (!isSame && record.result && leavesOnlyAddresses(record.network, paths.ipam)) {
      for (const address of addressesOf(record.result))
        await giveBack(address, record.attachment.containerId);
    } else {
      const attachment = { ...record.attachment, networkNamespace: isSame ? networkNamespace : '' };
      await cni.del(record.network, attachment, record.result);
    }
    await records.remove(record.attachment.containerId);
  }

  /** An address that belongs to another sandbox by now stays. */
  async function giveBack(address: string, containerId: string): Promise<void> {
    const file = join(paths.ipam, defaultNetworkName, address);
    if ((await ownerOf(file)) === containerId) await rm(file, { force: true });
  }

  /** Whether the namespace still has what the record says. Plugins are only asked where `/proc` cannot tell. */
  async function isIntact(record: NetworkRecord, networkNamespace: string): Promise<boolean> {
    if (!record.result || (await namespaceId(networkNamespace)) !== record.namespaceId) return false;
    const present = await localAddresses(networkNamespace);
    if (present) return addressesOf(record.result).every((ip) => ip.includes(':') || present.has(ip));
    return cni.check(record.network, { ...record.attachment, networkNamespace }, record.result).then(
      () => true,
      () => false,
    );
  }

  async function bringLoopbackUp(attachment: Attachment): Promise<void> {
    const present = await localAddresses(attachment.networkNamespace);
    if (!present?.has('127.0.0.1')) await cni.add(loopbackNetwork, { ...attachment, interfaceName: 'lo' });
  }

  async function attach(sandbox: PodSandbox, signal: AbortSignal): Promise<string[]> {
    const network = await networkFor(sandbox.portMappings);
    const id = await namespaceId(sandbox.networkNamespace);
    if (id === '') throw new Error(`sandbox ${sandbox.id} has no network namespace`);
    const record: NetworkRecord = { version: 1, attachment: toAttachment(sandbox), namespaceId: id, network };
    await records.write(record);
    try {
      const [result] = await Promise.all([
        cni.add(network, record.attachment, signal),
        bringLoopbackUp(record.attachment),
      ]);
      const ips = addressesOf(result);
      if (ips.length === 0) throw new Error(`network ${network.name} gave the pod no address`);
      await records.write({ ...record, result });
      return ips;
    } catch (error) {
      await undo(record, sandbox.networkNamespace).catch((undoError: unknown) => {
        log.warn({ err: undoError, sandbox: sandbox.id }, 'undoing a failed network setup failed as well');
      });
      throw error;
    }
  }

  async function setUp(sandbox: PodSandbox, signal: AbortSignal): Promise<{ ips: string[] }> {
    const record = await records.read(sandbox.id);
    if (record && (await isIntact(record, sandbox.networkNamespace))) {
      return { ips: addressesOf(record.result ?? {}) };
    }
    if (record) await undo(record, sandbox.networkNamespace);
    return { ips: await attach(sandbox, signal) };
  }

  async function removeStrayAddresses(known: ReadonlySet<string>): Promise<void> {
    const directory = join(paths.ipam, defaultNetworkName);
    for (const name of await namesIn(directory)) {
      if (!/^[\d.]+$/.test(name)) continue;
      const owner = await ownerOf(join(directory, name));
      if (owner === '' || known.has(owner) || young.has(owner)) continue;
      log.info({ address: name, sandbox: owner }, 'giving back a leaked address');
      await rm(join(directory, name), { force: true });
    }
  }

  async function removeStrayLinks(): Promise<void> {
    const ports = await ipJson<{ ifname?: string }>(exec, ['link', 'show', 'master', bridge]);
    if (busy.size > 0) return;
    const ours = new Set<string>();
    for (const id of await records.list()) {
      const record = await records.read(id);
      for (const { name } of record?.result?.interfaces ?? []) ours.add(name);
    }
    for (const { ifname = '' } of ports) {
      if (!ifname.startsWith('veth') || ours.has(ifname) || busy.size > 0) continue;
      log.info({ device: ifname }, 'removing a leaked device');
      await deleteLink(exec, ifname);
    }
  }

  return {
    name: 'pod-network',
    async start(signal) {
      await records.open();
      hasCustomNetwork = (await loadNetworkConfig(options.confDirectory ?? '/etc/cni/net.d')) !== undefined;
      mtuBytes = await host.start(signal);
    },
    stop: () => host.stop(),
    healthy() {
      if (host.trouble() !== '') return { ok: false, reason: host.trouble() };
      if (!hasCustomNetwork && podCidr() === '')
        return { ok: false, reason: 'the node has no pod range (spec.podCIDR) yet' };
      return healthyNow;
    },
    async setUp(sandbox, signal) {
      busy.add(sandbox.id);
      young.add(sandbox.id);
      try {
        return await setUp(sandbox, signal);
      } finally {
        busy.delete(sandbox.id);
        clock.after(youngMs, () => young.delete(sandbox.id));
      }
    },
    async tearDown(sandbox) {
      const record = await records.read(sandbox.id);
      if (record) await undo(record, sandbox.networkNamespace);
    },
    async collectGarbage(sandboxIds) {
      for (const id of await records.list()) {
        if (sandboxIds.has(id) || young.has(id)) continue;
        const record = await records.read(id);
        log.info({ sandbox: id }, 'tearing down the network of a sandbox that is gone');
        if (record) await undo(record, '');
        else await records.remove(id);
      }
      await removeStrayAddresses(sandboxIds);
      await removeStrayLinks();
    },
  };
}

/** The sandbox that has the address of this file of host-local's; '' when nobody has. */
const ownerOf = async (file: string): Promise<string> =>
  (await readFile(file, 'utf8').catch(() => '')).split(/\s/)[0] ?? '';

/** `K8S_*` are the names that plugins for Kubernetes look for (documented by the CNI conventions). */
const toAttachment = (sandbox: PodSandbox): Attachment => ({
  containerId: sandbox.id,
  networkNamespace: sandbox.networkNamespace,
  interfaceName,
  portMappings: sandbox.portMappings,
  args: {
    IgnoreUnknown: '1',
    K8S_POD_NAMESPACE: sandbox.podNamespace,
    K8S_POD_NAME: sandbox.podName,
    K8S_POD_INFRA_CONTAINER_ID: sandbox.id,
    K8S_POD_UID: sandbox.podUid,
  },
});
