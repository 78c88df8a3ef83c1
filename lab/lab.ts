/** What the commands of `lab/main.ts` do. Each looks at what is there and does only what is missing. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { nodes } from '../src/api/kinds.js';
import { isConditionTrue } from '../src/api/meta.js';
import { openAdmin } from '../src/cli/admin.js';
import { reachServer, waitFor } from '../src/cli/up/wait.js';
import { run, runChecked } from '../src/host/exec.js';
import { pidsIn, removeCgroup } from './cgroups.js';
import { shareImages, waitForDocker } from './images.js';
import * as layout from './layout.js';
import { type LabHost, labHosts } from './layout.js';
import { plugIn, setCable, unplug } from './network.js';
import { end, killLeftovers, pidOf, start } from './processes.js';

const cli = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const hostsFile = join(layout.dataDir, 'hosts');
const masterConfig = join(layout.dataDir, 'master.yaml');

/** The hosts that `up` made; none when there is no lab. */
const existingHosts = (): LabHost[] =>
  existsSync(hostsFile) ? labHosts(Number(readFileSync(hostsFile, 'utf8'))) : [];

function existingHost(name: string): LabHost {
  const host = existingHosts().find(
    (candidate) => candidate.name === name || String(candidate.number) === name,
  );
  if (!host)
    throw new Error(
      `there is no ${name}; the lab has ${
        existingHosts()
          .map(({ name: n }) => n)
          .join(', ') || 'no hosts'
      }`,
    );
  return host;
}

export async function up(count: number, masterFlags: string): Promise<void> {
  if (!Number.isInteger(count) || count < 1 || count > 100)
    throw new Error('--nodes must be a number from 1 to 100');
  const hosts = labHosts(Math.max(count, existingHosts().length));
  mkdirSync(layout.dataDir, { recursive: true });
  writeFileSync(hostsFile, String(hosts.length));
  await plugIn(hosts);
  await enterMaster(hosts, masterFlags);
}

/** The rest of `up` happens inside the namespace of node-1, where the master's address is reachable. */
async function enterMaster(hosts: readonly LabHost[], masterFlags: string): Promise<void> {
  const [first] = hosts;
  if (!first) return;
  for (const host of hosts) startDocker(host);
  writeMasterConfig(first, masterFlags);
  startMaster(first);
  for (const host of hosts) await waitForDocker(host.dockerSocket);
  await shareImages(hosts.map((host) => host.dockerSocket));
  await runChecked(
    'nsenter',
    [
      `--net=/run/netns/${first.namespace}`,
      process.execPath,
      join(fileURLToPath(import.meta.url), '../join.js'),
      String(hosts.length),
    ],
    { timeoutMs: 240_000 },
  );
  for (const host of hosts) say(`${host.name}  ${host.address}  docker -H unix://${host.dockerSocket}`);
  say(`\nnpm run lab -- kubectl get nodes -o wide`);
  say(`npm run lab -- exec node-2 curl -s http://${first.address}:30080`);
  say(`npm run lab -- kill node-2 | start node-2 | cut node-2 | heal node-2 | down`);
}

/** Called by `join.ts` inside the namespace of node-1: gives every host its configuration, starts the agents, waits. */
export async function joinHosts(count: number): Promise<void> {
  await reachServer(layout.kubeconfig, 60_000);
  const { client, caPem } = await openAdmin(layout.kubeconfig);
  const { createBootstrapToken } = await import('../master/auth/token.js');
  for (const host of labHosts(count)) {
    if (!existsSync(configFile(host))) {
      const token = await createBootstrapToken(client, { ca: caPem, ttlMs: 3_600_000 });
      writeConfig(host, token);
    }
    startAgent(host);
  }
  for (const host of labHosts(count)) {
    await waitFor(
      client,
      nodes,
      { fieldSelector: `metadata.name=${host.name}` },
      (node) => isConditionTrue(node.status?.conditions, 'Ready'),
      {
        timeoutMs: 120_000,
        what: `${host.name} to become Ready`,
        hint: join(host.runDir, 'agent.log'),
      },
    );
  }
}

const configFile = (host: LabHost): string => join(host.dataDir, 'agent.yaml');

function writeConfig(host: LabHost, token: string): void {
  mkdirSync(host.dataDir, { recursive: true });
  const config = {
    server: layout.masterUrl,
    token,
    'node-name': host.name,
    'node-ip': host.address,
    'data-dir': host.dataDir,
    'runtime-endpoint': `unix://${host.dockerSocket}`,
    'cgroup-root': `/${host.cgroup}/kubepods`,
    'cni-conf-dir': join(host.dataDir, 'net.d'),
  };
  writeFileSync(configFile(host), stringify(config), { mode: 0o600 });
}

function startDocker(host: LabHost): void {
  start(host, 'docker', 'dockerd', [
    ...['--data-root', join(host.dataDir, 'docker'), '--exec-root', join(host.runDir, 'docker')],
    ...['--host', `unix://${host.dockerSocket}`, '--pidfile', join(host.runDir, 'dockerd.pid')],
    ...['--cgroup-parent', `/${host.cgroup}/docker`],
  ]);
}

/** Written once, so that a host that comes back starts its master as before. */
function writeMasterConfig(host: LabHost, flags: string): void {
  if (existsSync(masterConfig)) return;
  const pairs = flags.split(',').filter(Boolean);
  const config = {
    'data-dir': join(layout.dataDir, 'master'),
    'admin-kubeconfig': layout.kubeconfig,
    'advertise-address': host.address,
    ...Object.fromEntries(pairs.map((pair) => pair.split('='))),
  };
  writeFileSync(masterConfig, stringify(config), { mode: 0o600 });
}

function startMaster(host: LabHost): void {
  start(host, 'master', process.execPath, [cli, 'master', '--config', masterConfig]);
}

const startAgent = (host: LabHost): void =>
  start(host, 'agent', process.execPath, [cli, 'agent', '--config', configFile(host)]);

export async function kill(name: string): Promise<void> {
  const host = existingHost(name);
  for (const role of ['agent', 'docker', 'master'] as const) await end(host, role, 'SIGKILL');
  await endContainers(host);
  await setCable(host, 'down');
  say(`${host.name} is off`);
}

/** A killed dockerd leaves containerd and the containers; a power cut does not. */
async function endContainers(host: LabHost): Promise<void> {
  const own = await run('pgrep', ['-f', join(host.runDir, 'docker')]);
  killLeftovers([...own.stdout.split('\n').filter(Boolean).map(Number), ...pidsIn(host.cgroup)]);
  rmSync(join(host.runDir, 'dockerd.pid'), { force: true });
}

export async function startHost(name: string): Promise<void> {
  const host = existingHost(name);
  await setCable(host, 'up');
  startDocker(host);
  if (host.number === 1) startMaster(host);
  await waitForDocker(host.dockerSocket);
  startAgent(host);
  say(`${host.name} is on`);
}

export async function cut(name: string): Promise<void> {
  await setCable(existingHost(name), 'down');
}

export async function heal(name: string): Promise<void> {
  await setCable(existingHost(name), 'up');
}

export function status(): void {
  for (const host of existingHosts()) {
    const roles = (['docker', 'master', 'agent'] as const).flatMap((role) => {
      const pid = pidOf(host, role);
      return pid === undefined ? [] : [`${role} ${pid}`];
    });
    say(`${host.name}  ${host.address}  ${roles.join(', ') || 'off'}`);
  }
}

export async function down(): Promise<void> {
  const hosts = existingHosts();
  for (const host of hosts) await end(host, 'agent', 'SIGTERM');
  for (const host of hosts) await end(host, 'master', 'SIGTERM');
  for (const host of hosts) {
    await end(host, 'docker', 'SIGTERM');
    await endContainers(host);
  }
  await unplug(hosts);
  await unmountBelow(layout.runDir);
  await unmountBelow(layout.dataDir);
  removeCgroup(layout.cgroupRoot);
  for (const dir of [layout.runDir, layout.dataDir]) rmSync(dir, { recursive: true, force: true });
  say('the lab is gone');
}

/** Namespaces and tmpfs volumes that a killed daemon left mounted; the innermost first. */
async function unmountBelow(dir: string): Promise<void> {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((path) => path.startsWith(`${dir}/`)).reverse())
    await runChecked('umount', ['--lazy', mount]);
}
