/**
 * What a node holds for its pods, counted from the host's side and not from the agent's: containers, mounts, cgroups,
 * links, network namespaces, addresses, directories. For tests that look for leaks and doubles.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, runChecked } from '../../src/host/exec.js';
import type { Cluster } from '../cluster.js';

export interface Holdings {
  /** `pod/container/attempt` of every container, once per container: doubles show. */
  containers: string[];
  mounts: string[];
  cgroups: string[];
  /** veths on the pod bridge. */
  links: string[];
  /** Addresses given out by host-local. */
  addresses: string[];
  /** Records of attached sandboxes. */
  sandboxes: string[];
  podDirectories: string[];
  /** What pods have in memory: their Secrets and tokens. */
  memoryDirectories: string[];
}

/** `dockerHost`, `dataDir`: the daemon's socket and the agent's data, where they are not the usual ones. */
export async function holdingsOf(
  cluster: Cluster,
  dockerHost?: string,
  dataDir: string = cluster.dir,
): Promise<Holdings> {
  const agentDirectory = join(dataDir, 'agent');
  return {
    containers: await containersOf(cluster, dockerHost),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((path) => path.startsWith(`${agentDirectory}/pods/`)),
    cgroups: podCgroups(cluster.cgroupRoot),
    links: await links(),
    addresses: filesBelow(join(agentDirectory, 'cni/ipam')).filter((name) =>
      /^\d+\.\d+\.\d+\.\d+$/.test(name),
    ),
    sandboxes: filesBelow(join(agentDirectory, 'cni/sandboxes')),
    podDirectories: namesIn(join(agentDirectory, 'pods')),
    memoryDirectories: namesIn(join(agentDirectory, 'memory')),
  };
}

const namesIn = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory) : []);

export const isEmpty = (holdings: Holdings): boolean =>
  Object.values(holdings).every((list: string[]) => list.length === 0);

async function containersOf(cluster: Cluster, dockerHost: string | undefined): Promise<string[]> {
  const labels = ['io.kubernetes.pod.name', 'io.kubernetes.container.name', 'io.wherry.attempt'];
  const { stdout } = await runChecked('docker', [
    ...(dockerHost ? ['--host', `unix://${dockerHost}`] : []),
    ...['ps', '--all', '--filter', `label=io.wherry.node=${cluster.nodeName}`],
    ...['--format', labels.map((label) => `{{.Label "${label}"}}`).join('/')],
  ]);
  return stdout.split('\n').filter(Boolean).sort();
}

/** Directories `pod<uid>` below the root in any hierarchy, by their path. */
function podCgroups(root: string): string[] {
  const hierarchies = readdirSync('/sys/fs/cgroup', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join('/sys/fs/cgroup', name, root));
  return hierarchies
    .filter((directory) => existsSync(directory))
    .flatMap((directory) =>
      ['', 'burstable', 'besteffort'].flatMap((qos) => {
        const parent = join(directory, qos);
        if (!existsSync(parent)) return [];
        return readdirSync(parent)
          .filter((name) => name.startsWith('pod'))
          .map((name) => join(parent, name));
      }),
    );
}

async function links(): Promise<string[]> {
  const { code, stdout } = await run('ip', ['-j', 'link', 'show', 'master', 'wherry0'], {});
  if (code !== 0 || stdout.trim() === '') return [];
  return (JSON.parse(stdout) as { ifname?: string }[]).flatMap(({ ifname }) => (ifname ? [ifname] : []));
}

const filesBelow = (directory: string): string[] =>
  existsSync(directory)
    ? readdirSync(directory, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => name)
    : [];
