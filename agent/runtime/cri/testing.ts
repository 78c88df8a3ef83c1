/**
 * For tests against a real containerd: one of its own, in directories of its own, with a bridge network; an image with
 * busybox's commands, made without any registry; and nothing left afterwards. Belongs into a network namespace of its
 * own. Imported by tests only.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/host/clock.js';
import { run, runChecked } from '../../../src/host/exec.js';
import { defaultNetwork } from '../../network/conflist.js';
import { halt } from '../processes.js';
import { CriClient } from './client.js';
import { writeImage } from './sandbox-image.js';

export interface TestContainerd {
  socketPath: string;
  /** Holds everything of it. */
  directory: string;
  confDirectory: string;
  logRoot: string;
  /** SIGKILL; containers stay. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Resolves when it has come to a halt. */
  pause(): Promise<void>;
  resume(): void;
  /** Removes all pods, ends it, removes the directory. */
  destroy(): Promise<void>;
}

export interface TestContainerdOptions {
  /** `/usr/bin` and the like: where `containerd` and its shim are. */
  binaries?: string;
  /** Name of the bridge of its network; without one there is no network until somebody configures it. */
  bridge?: string;
}

const never = (): AbortSignal => new AbortController().signal;

export async function startContainerd(options: TestContainerdOptions = {}): Promise<TestContainerd> {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-containerd-'));
  const socketPath = join(directory, 'containerd.sock');
  const confDirectory = join(directory, 'net.d');
  await mkdir(confDirectory);
  await writeFile(join(directory, 'config.toml'), configuration(directory, confDirectory));
  if (options.bridge) {
    const network = defaultNetwork(
      {
        bridge: options.bridge,
        podCidr: '10.97.0.0/24',
        ipamDirectory: join(directory, 'ipam'),
        mtuBytes: 1400,
      },
      [],
    );
    await writeFile(join(confDirectory, '10-test.conflist'), JSON.stringify(network));
  }
  const client = new CriClient(socketPath);
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const log = openSync(join(directory, 'log'), 'a');
    const { PATH = '' } = process.env;
    const path = options.binaries ? `${options.binaries}:${PATH}` : `${PATH}:/usr/sbin:/sbin`;
    child = spawn('containerd', ['-c', join(directory, 'config.toml')], {
      stdio: ['ignore', log, log],
      env: { ...process.env, PATH: path },
    });
    closeSync(log);
    for (let tries = 0; !(await isReady(client, options.bridge !== undefined)); tries += 1) {
      if (tries > 300)
        throw new Error(`containerd does not start:\n${await readFile(join(directory, 'log'), 'utf8')}`);
      await systemClock.sleep(100, never());
    }
  }

  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  await start();
  return {
    socketPath,
    directory,
    confDirectory,
    logRoot: join(directory, 'pods'),
    start,
    kill: () => end('SIGKILL'),
    async pause() {
      if (child?.pid) await halt(child.pid);
    },
    resume: () => child?.kill('SIGCONT'),
    async destroy() {
      const { items } = await client.call('listPodSandbox', {}, 60_000);
      for (const { id } of items) {
        await client.call('stopPodSandbox', { podSandboxId: id }, 60_000);
        await client.call('removePodSandbox', { podSandboxId: id }, 60_000);
      }
      await client.close();
      await end('SIGTERM');
      for (const mounted of await mountsBelow(directory)) await run('umount', ['-l', mounted]);
      if (options.bridge) await run('ip', ['link', 'delete', options.bridge]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const configuration = (directory: string, confDirectory: string): string => `version = 2
root = "${join(directory, 'root')}"
state = "${join(directory, 'state')}"
[grpc]
  address = "${join(directory, 'containerd.sock')}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${join(directory, 'opt')}"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${confDirectory}"
`;

async function isReady(client: CriClient, withNetwork: boolean): Promise<boolean> {
  try {
    const { status } = await client.call('status', {}, 5000);
    return (status?.conditions ?? []).every(
      ({ type, status }) => status || (type === 'NetworkReady' && !withNetwork),
    );
  } catch {
    return false;
  }
}

/** The innermost first. */
async function mountsBelow(directory: string): Promise<string[]> {
  const mounts = await readFile('/proc/self/mounts', 'utf8');
  return mounts
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${directory}/`))
    .reverse();
}

/** Writes an image with all commands of busybox; returns its reference. Needs the package busybox-static. */
export async function testImage(
  socketPath: string,
  reference = 'docker.io/wherry-test/busybox:1',
): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'wherry-image-'));
  const client = new CriClient(socketPath);
  try {
    await mkdir(join(root, 'bin'));
    await copyFile('/bin/busybox', join(root, 'bin/busybox'));
    const applets = (await runChecked('/bin/busybox', ['--list'])).stdout.split('\n').filter(Boolean);
    for (const applet of applets)
      if (applet !== 'busybox') await symlink('busybox', join(root, 'bin', applet));
    await runChecked('tar', ['-C', root, '--owner=0', '--group=0', '-cf', `${root}.tar`, 'bin']);
    const image = {
      name: reference,
      architecture: process.arch === 'arm64' ? ('arm64' as const) : ('amd64' as const),
      layer: await readFile(`${root}.tar`),
      config: { Env: ['PATH=/bin'] },
      labels: {},
    };
    await writeImage(client, image, systemClock);
  } finally {
    await client.close();
    await rm(root, { recursive: true, force: true });
    await rm(`${root}.tar`, { force: true });
  }
  return reference;
}
