/**
 * Takes everything of the pod network off the host: devices, routes, rules, addresses, kernel settings. Called by
 * the clean-up of the agent and by `npm run down`, when no agent and no pod runs. Idempotent; goes on after a failed
 * step and throws all failures together at the end.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Exec, ExecError, run } from '../../src/host/exec.js';
import { hasCode, ifExists } from '../../src/host/files.js';
import type { Firewall } from '../services/firewall.js';
import { netChainPrefix } from '../services/jumps.js';
import { removeChains } from '../services/removal.js';
import { createCni } from './cni.js';
import { conflistName } from './conflist.js';
import { deleteLink, ipJson } from './links.js';
import { defaultBridge, defaultPluginDirectories, networkPaths } from './pods.js';
import { createRecords } from './records.js';
import { routeProtocol, vxlanDevice } from './routes.js';
import { restoreSysctls } from './sysctl.js';

export interface NetworkCleanupOptions {
  /** The agent's own directory, `<data-dir>/agent`. */
  dataDirectory: string;
  firewall: Firewall;
  exec?: Exec;
  pluginDirectories?: readonly string[];
  bridge?: string;
  /** Where a runtime found the built-in network. */
  confDirectory?: string;
}

export async function cleanUpNetwork(options: NetworkCleanupOptions): Promise<void> {
  const { firewall, exec = run, bridge = defaultBridge } = options;
  const paths = networkPaths(options.dataDirectory);
  const errors: unknown[] = [];
  const step = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      errors.push(error);
    }
  };
  await step(() =>
    releaseSandboxes(paths.records, exec, options.pluginDirectories ?? defaultPluginDirectories),
  );
  const { confDirectory } = options;
  if (confDirectory) await step(() => rm(join(confDirectory, conflistName), { force: true }));
  await step(() => removeChains(firewall, ['nat', 'filter'], (chain) => chain.startsWith(netChainPrefix)));
  await step(() => removePortmapChains(firewall));
  await step(() => flushRoutes(exec));
  await step(() => deleteLink(exec, vxlanDevice));
  await step(async () => {
    for (const { ifname } of await ipJson<{ ifname: string }>(exec, ['link', 'show', 'master', bridge])) {
      await deleteLink(exec, ifname);
    }
    await deleteLink(exec, bridge);
  });
  await step(() => restoreSysctls({ stateFile: paths.sysctls }));
  await step(() => rm(join(options.dataDirectory, 'cni'), { recursive: true, force: true }));
  if (errors.length > 0) throw new AggregateError(errors, 'the pod network was not removed completely');
}

async function flushRoutes(exec: Exec): Promise<void> {
  const args = ['route', 'flush', 'proto', routeProtocol];
  const result = await exec('ip', args);
  if (result.code !== 0) throw new ExecError('ip', args, result);
}

/** Undoes what plugins keep outside of namespaces (port mappings), by the records of the sandboxes. */
async function releaseSandboxes(
  directory: string,
  exec: Exec,
  pluginDirectories: readonly string[],
): Promise<void> {
  const records = createRecords(directory);
  const cni = createCni({ exec, pluginDirectories });
  const ids = (await ifExists(records.list())) ?? [];
  for (const id of ids) {
    const record = await records.read(id);
    if (record) await cni.del(record.network, { ...record.attachment, networkNamespace: '' }, record.result);
    await records.remove(id);
  }
}

/** `portmap` leaves its shared chains behind; they go when no pod of any CNI user has a port mapping left. */
async function removePortmapChains(firewall: Firewall): Promise<void> {
  const isInUse = await firewall.save('nat').then(
    (saved) => /^:CNI-DN-/m.test(saved),
    (error: unknown) => {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    },
  );
  if (!isInUse) await removeChains(firewall, ['nat', 'filter'], (chain) => chain.startsWith('CNI-HOSTPORT-'));
}
