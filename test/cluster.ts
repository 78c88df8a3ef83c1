/**
 * A one-host cluster for system tests and benchmarks: the real master and agent as processes of their own, on data
 * directories, ports and cgroups of their own, against the Docker daemon of this machine. Meant to run in a network
 * namespace of its own (`scripts/test.mjs` and `scripts/bench.mjs` see to that), so that the machine's network stays
 * as it is.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { nodes } from '../src/api/kinds.js';
import { isConditionTrue } from '../src/api/meta.js';
import { openAdmin } from '../src/cli/admin.js';
import { nodeFlagsOf } from '../src/cli/paths.js';
import { reachServer, waitFor } from '../src/cli/up/wait.js';
import type { Client } from '../src/client/client.js';
import { type ExecResult, run, runChecked } from '../src/host/exec.js';

const cli = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));

export type Role = 'master' | 'agent';

export interface Cluster {
  client: Client;
  dir: string;
  kubeconfig: string;
  nodeName: string;
  nodeIp: string;
  cgroupRoot: string;
  /** Runs kubectl as the administrator; rejects when it fails. */
  kubectl(...args: string[]): Promise<string>;
  /** The same, for calls that are expected to fail. */
  tryKubectl(args: readonly string[], input?: string): Promise<ExecResult>;
  pid(role: Role): number;
  /** SIGKILL; resolves when it is gone. */
  kill(role: Role): Promise<void>;
  start(role: Role): void;
  /** Ends both and removes everything of the cluster from this machine. */
  stop(): Promise<void>;
}

export interface ClusterOptions {
  name: string;
  master?: Record<string, string>;
  agent?: Record<string, string>;
  /** Added to the environment of the processes. */
  env?: Partial<Record<Role, Record<string, string>>>;
  kubectl?: string;
}

/** Resolves when the node is Ready. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const dir = mkdtempSync(join(tmpdir(), `wherry-${options.name}-`));
  const kubeconfig = join(dir, 'admin.kubeconfig');
  const nodeIp = await ownAddress();
  const nodeName = `${options.name}-node`;
  const cgroupRoot = options.agent?.['cgroup-root'] ?? `/wherry-${options.name}`;
  const children = new Map<Role, ChildProcess>();
  const config: Record<Role, Record<string, string>> = {
    master: {
      'data-dir': dir,
      'admin-kubeconfig': kubeconfig,
      'advertise-address': nodeIp,
      ...options.master,
    },
    agent: {
      server: `https://${nodeIp}:6443`,
      'data-dir': dir,
      'node-name': nodeName,
      'node-ip': nodeIp,
      'cgroup-root': cgroupRoot,
      'cni-conf-dir': join(dir, 'net.d'),
      'log-dir': join(dir, 'log'),
      // The images are everybody's, however full the disk of this machine is.
      'image-gc-high-threshold': '100',
      ...options.agent,
    },
  };
  const writeConfig = (role: Role): void =>
    writeFileSync(join(dir, `${role}.yaml`), stringify(config[role]), { mode: 0o600 });

  function start(role: Role): void {
    const log = openSync(join(dir, `${role}.log`), 'a');
    const child = spawn(
      process.execPath,
      [...nodeFlagsOf(role), cli, role, '--config', join(dir, `${role}.yaml`)],
      {
        stdio: ['ignore', log, log],
        env: { ...process.env, ...options.env?.[role] },
      },
    );
    closeSync(log);
    children.set(role, child);
  }

  async function end(role: Role, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = children.get(role);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  async function stop(): Promise<void> {
    await end('agent', 'SIGTERM');
    await end('master', 'SIGTERM');
    await runChecked(process.execPath, [cli, 'cleanup', '--config', join(dir, 'agent.yaml'), '--purge'], {
      timeoutMs: 180_000,
    });
    rmSync(dir, { recursive: true, force: true });
  }

  const waitForNode = (client: Client): Promise<unknown> =>
    waitFor(client, nodes, {}, (node) => isConditionTrue(node.status?.conditions, 'Ready'), {
      timeoutMs: 120_000,
      what: 'the node to become Ready',
      hint: join(dir, 'agent.log'),
    });

  async function startBoth(): Promise<Client> {
    writeConfig('master');
    start('master');
    await reachServer(kubeconfig, 120_000);
    const { client, caPem } = await openAdmin(kubeconfig);
    const { createBootstrapToken } = await import('../master/auth/token.js');
    config.agent['token'] = await createBootstrapToken(client, { ca: caPem, ttlMs: 3_600_000 });
    writeConfig('agent');
    start('agent');
    await waitForNode(client);
    return client;
  }

  mkdirSync(join(dir, 'net.d'), { recursive: true });
  const client = await startBoth().catch(async (error: unknown) => {
    for (const role of ['agent', 'master'] as const) await end(role, 'SIGKILL');
    throw error;
  });
  const binary = options.kubectl ?? 'kubectl';
  return {
    client,
    dir,
    kubeconfig,
    nodeName,
    nodeIp,
    cgroupRoot,
    start,
    pid: (role) => children.get(role)?.pid ?? 0,
    kill: (role) => end(role, 'SIGKILL'),
    kubectl: async (...args) =>
      (await runChecked(binary, ['--kubeconfig', kubeconfig, ...args], { timeoutMs: 120_000 })).stdout,
    tryKubectl: (args, input) =>
      run(binary, ['--kubeconfig', kubeconfig, ...args], {
        timeoutMs: 120_000,
        ...(input !== undefined && { input }),
      }),
    stop,
  };
}

/** The address of the namespace's `eth0`, or of the machine's default route. */
async function ownAddress(): Promise<string> {
  const { stdout } = await runChecked('ip', ['-j', '-4', 'address', 'show', 'scope', 'global', 'up']);
  const links = JSON.parse(stdout) as { ifname?: string; addr_info?: { local: string }[] }[];
  const address = links.find((link) => link.ifname === 'eth0')?.addr_info?.[0]?.local;
  if (!address) throw new Error('this network namespace has no eth0 with an IPv4 address');
  return address;
}
