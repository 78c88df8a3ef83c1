/**
 * A Docker daemon of a test's own, to be killed, frozen and starved: its data on a file system of a given size, its
 * socket, containerd and network apart from the machine's.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { halt } from '../../agent/runtime/processes.js';
import { run, runChecked } from '../../src/host/exec.js';
import { eventually } from '../wait.js';

export interface OwnDocker {
  socket: string;
  /** A directory on the same file system as the daemon's data. */
  dataDir: string;
  docker(...args: string[]): Promise<string>;
  /** Resolves when the daemon answers. */
  start(): Promise<void>;
  kill(): Promise<void>;
  freeze(): Promise<void>;
  thaw(): void;
  /** Ends it with everything that runs in it, and removes its data. */
  close(): Promise<void>;
}

const hasEnded = (child: ChildProcess | undefined): boolean =>
  child !== undefined && (child.exitCode !== null || child.signalCode !== null);

/** Brings the image `busybox` along. The file system is a tmpfs of `sizeMib`. */
export async function startOwnDocker(sizeMib: number): Promise<OwnDocker> {
  const top = mkdtempSync(join(tmpdir(), 'wherry-dockerd-'));
  const disk = join(top, 'disk');
  const socket = join(top, 'docker.sock');
  mkdirSync(disk);
  await runChecked('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m,mode=0755`, 'tmpfs', disk]);
  let daemon: ChildProcess | undefined;
  const docker = async (...args: string[]): Promise<string> =>
    (await runChecked('docker', ['--host', `unix://${socket}`, ...args], { timeoutMs: 60_000 })).stdout;

  const spawnDaemon = (): void => {
    const log = openSync(join(top, 'dockerd.log'), 'a');
    daemon = spawn(
      'dockerd',
      [
        ...['--host', `unix://${socket}`, '--data-root', join(disk, 'docker')],
        ...['--exec-root', join(top, 'run'), '--pidfile', join(top, 'pid')],
        ...['--bridge=none', '--iptables=false', '--ip-forward=false', '--storage-driver', 'overlay2'],
      ],
      { stdio: ['ignore', log, log] },
    );
    closeSync(log);
  };

  /** Started again where it gives up, as by systemd: right after a kill it may take the dying containerd for one that runs. */
  const start = async (): Promise<void> => {
    spawnDaemon();
    await eventually('the daemon answers', 60, async () => {
      if (hasEnded(daemon)) spawnDaemon();
      await docker('version');
      return true;
    });
  };

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!daemon || hasEnded(daemon)) return;
    const exited = once(daemon, 'exit');
    daemon.kill('SIGCONT');
    daemon.kill(signal);
    await exited;
  }

  async function close(): Promise<void> {
    await end('SIGTERM');
    // A containerd whose daemon was killed goes on; the next daemon takes it over, so there is one at most.
    await eventually('its containerd has ended', 20, async () => {
      for (const pid of await processesOf(top)) process.kill(pid, 'SIGKILL');
      return (await processesOf(top)).length === 0;
    });
    for (const path of mountsBelow(top)) await run('umount', ['--lazy', path]);
    rmSync(top, { recursive: true, force: true });
  }

  await start();
  const archive = join(top, 'busybox.tar');
  await runChecked('docker', ['save', '--output', archive, 'busybox']);
  await docker('load', '--input', archive);
  rmSync(archive);
  return {
    socket,
    dataDir: join(disk, 'wherry'),
    docker,
    start,
    kill: () => end('SIGKILL'),
    async freeze() {
      if (daemon?.pid) await halt(daemon.pid);
    },
    thaw: () => void daemon?.kill('SIGCONT'),
    close,
  };
}

async function processesOf(top: string): Promise<number[]> {
  const { stdout } = await run('pgrep', ['--full', top]);
  return stdout.split('\n').filter(Boolean).map(Number);
}

/** The deepest first. */
const mountsBelow = (top: string): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${top}/`))
    .reverse();
