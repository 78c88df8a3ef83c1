/**
 * 8. The network of pods where the runtime runs CNI (containerd). See `network.ts` for what it promises.
 *
 * The built-in network is written into the directory that the runtime watches, once the node has its range of
 * addresses; a configuration that is there already stays the one. Sandboxes then come with their addresses, and give
 * them back when the runtime stops them. What a runtime that was killed has left behind is found by its age.
 */
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Node } from '../../src/api/types.js';
import type { Source } from '../../src/client/cache.js';
import { createController } from '../../src/client/controller.js';
import { healthyNow } from '../../src/host/component.js';
import { run } from '../../src/host/exec.js';
import { namesIn, readIfExists, writeAtomic } from '../../src/host/files.js';
import type { SandboxState } from '../runtime/runtime.js';
import { conflistName, defaultNetwork, defaultNetworkName, networkConfigNames } from './conflist.js';
import { createHostNetwork } from './host.js';
import type { PodNetwork } from './network.js';
import { defaultBridge, networkPaths, type PodNetworkOptions } from './pods.js';

/** The runtime, as far as its network matters. */
export interface NetworkingRuntime {
  /** Where it looks for its network; undefined when it does not tell. */
  cniConfDirectory(): Promise<string | undefined>;
  /** Why it can give pods no network; '' when it can. */
  networkTrouble(): Promise<string>;
  /** Also those of others. */
  allSandboxIds(): Promise<readonly string[]>;
  inspectSandbox(id: string): Promise<SandboxState | undefined>;
}

export interface RuntimeNetworkOptions extends Omit<PodNetworkOptions, 'nodes'> {
  runtime: NetworkingRuntime;
  nodes: Pick<Source<Node>, 'get' | 'onChange'>;
}

/** The runtime reads a new file within moments; afterwards somebody may remove it, or break the runtime's network. */
const readMs = 250;
const lookMs = 10_000;
/** A sandbox that is being made has its address before anybody knows its id. */
const youngMs = 120_000;

export function createRuntimeNetwork(options: RuntimeNetworkOptions): PodNetwork {
  const { nodeName, nodeIp, clusterCidr, nodes, firewall, clock, runtime, exec = run } = options;
  const log = options.log.child({ component: 'pod-network' });
  const paths = networkPaths(options.dataDirectory);
  const host = createHostNetwork({
    ...{ nodeIp, clusterCidr, firewall, exec, clock, log },
    sysctlsFile: paths.sysctls,
    mtuBytes: options.mtuBytes,
  });
  let mtuBytes = 0;
  let unsubscribe = (): void => undefined;
  let trouble = 'the network of the container runtime is not configured yet';

  /** Makes the file what it has to be. '' when there is a network, else why not. */
  async function configure(): Promise<string> {
    const directory = (await runtime.cniConfDirectory()) ?? options.confDirectory ?? '/etc/cni/net.d';
    const names = await networkConfigNames(directory);
    if (names.some((name) => name !== conflistName)) return '';
    const podCidr = nodes.get({ name: nodeName })?.spec?.podCIDR ?? '';
    const file = join(directory, conflistName);
    if (podCidr === '') return 'the node has no pod range (spec.podCIDR) yet';
    const bridge = options.bridge ?? defaultBridge;
    const network = defaultNetwork({ bridge, podCidr, ipamDirectory: paths.ipam, mtuBytes }, 'any');
    const text = `${JSON.stringify(network, undefined, 2)}\n`;
    if ((await readIfExists(file))?.toString() === text) return '';
    await mkdir(directory, { recursive: true });
    await writeAtomic(file, text, 0o644);
    log.info({ file, podCidr }, 'configured the network of the container runtime');
    return '';
  }

  const conf = createController({
    name: 'pod-network-conf',
    sources: [],
    clock,
    log,
    reconciler: {
      async reconcile() {
        try {
          trouble = (await configure()) || (await runtime.networkTrouble());
        } catch (error) {
          trouble = String(error);
          throw error;
        }
        return { requeueAfterMs: trouble === '' ? lookMs : readMs };
      },
    },
  });

  return {
    name: 'pod-network',
    async start(signal) {
      mtuBytes = await host.start(signal);
      await conf.start(signal);
      conf.enqueue('conf');
      unsubscribe = nodes.onChange(({ key }) => {
        if (key === nodeName) conf.enqueue('conf');
      });
    },
    async stop() {
      unsubscribe();
      await conf.stop();
      await host.stop();
    },
    healthy() {
      const reason = host.trouble() || trouble;
      return reason === '' ? healthyNow : { ok: false, reason };
    },
    async setUp({ id }) {
      const sandbox = await runtime.inspectSandbox(id);
      const ips = [...(sandbox?.ips ?? [])];
      if (ips.length === 0) throw new Error(`sandbox ${id} has no address`);
      return { ips };
    },
    // Stopping the sandbox does it.
    tearDown: async () => undefined,
    async collectGarbage() {
      const directory = join(paths.ipam, defaultNetworkName);
      const names = (await namesIn(directory)).filter((name) => /^[\d.]+$/.test(name));
      if (names.length === 0) return;
      const known = new Set(await runtime.allSandboxIds());
      for (const name of names) {
        const file = join(directory, name);
        const [owner = ''] = (await readFile(file, 'utf8').catch(() => '')).split(/\s/);
        if (owner === '' || known.has(owner)) continue;
        const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
        if (clock.now().getTime() - mtimeMs < youngMs) continue;
        log.info({ address: name, sandbox: owner }, 'giving back a leaked address');
        await rm(file, { force: true });
      }
    },
  };
}
