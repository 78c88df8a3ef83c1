/**
 * For tests: the Docker daemon of a later Debian suite on this machine, beside the one that is installed. Its packages
 * are downloaded by apt into a state of its own and unpacked, never installed; runc is the machine's, because that one
 * program needs a newer C library. Imported by tests only.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run, runChecked } from '../../src/host/exec.js';

const cache = '/var/cache/wherry-test';
const packages = /^(docker\.io|containerd|tini-static|tini)_/;
const programs = ['dockerd', 'docker-proxy', 'docker-init', 'containerd', 'containerd-shim-runc-v2'];

export interface SuiteDocker {
  socketPath: string;
  /** As it says: `28.5.2+dfsg4`. */
  version: string;
  daemon: ChildProcess;
  /** Starts a killed one again. */
  start(): Promise<void>;
  /** Ends it with everything that runs in it, and removes its data. */
  close(): Promise<void>;
}

/** The directory with the programs of the suite; downloaded once. */
async function unpack(suite: string): Promise<string> {
  const top = join(cache, `docker-${suite}`);
  const bin = join(top, 'bin');
  if (existsSync(join(bin, 'dockerd'))) return bin;
  rmSync(top, { recursive: true, force: true });
  for (const directory of ['state/lists/partial', 'cache/archives/partial', 'root', 'bin.new'])
    mkdirSync(join(top, directory), { recursive: true });
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  writeFileSync(
    join(top, 'sources.list'),
    `deb [signed-by=${keyring}] http://deb.debian.org/debian ${suite} main\n`,
  );
  const settings = {
    'Dir::State': join(top, 'state'),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': join(top, 'cache'),
    'Dir::Etc::sourcelist': join(top, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'APT::Sandbox::User': 'root',
  };
  const options = Object.entries(settings).map(([name, value]) => `-o${name}=${value}`);
  const apt = (args: readonly string[]) =>
    runChecked('apt-get', ['--quiet', '--yes', ...options, ...args], { timeoutMs: 300_000 });
  await apt(['update']);
  await apt(['install', '--download-only', '--no-install-recommends', 'docker.io']);
  const archives = join(top, 'cache/archives');
  for (const name of readdirSync(archives).filter((name) => packages.test(name)))
    await runChecked('dpkg-deb', ['--extract', join(archives, name), join(top, 'root')]);
  rmSync(archives, { recursive: true });
  for (const program of programs) {
    const file = ['usr/sbin', 'usr/bin'].map((dir) => join(top, 'root', dir, program)).find(existsSync);
    if (file) symlinkSync(file, join(top, 'bin.new', program));
  }
  await runChecked('mv', [join(top, 'bin.new'), bin]);
  return bin;
}

/** `installed`: the machine's own version, in a daemon apart. */
export async function startDockerOf(
  suite: 'installed' | 'trixie' | 'sid',
  flags: readonly string[] = [],
): Promise<SuiteDocker> {
  const bin = suite === 'installed' ? undefined : await unpack(suite);
  const top = await mkdtemp(join(tmpdir(), `wherry-docker-${suite}-`));
  const socketPath = join(top, 'docker.sock');
  const logFile = join(top, 'dockerd.log');
  const path = [...(bin ? [bin] : []), process.env['PATH'] ?? ''].join(':');
  let daemon = spawnDaemon();

  function spawnDaemon(): ChildProcess {
    const log = openSync(logFile, 'a');
    const args = [
      ...[
        '--host',
        `unix://${socketPath}`,
        '--data-root',
        join(top, 'data'),
        '--exec-root',
        join(top, 'run'),
      ],
      ...['--pidfile', join(top, 'pid'), '--bridge=none', '--iptables=false', '--ip6tables=false'],
      ...['--ip-forward=false', ...flags],
    ];
    const child = spawn(bin ? join(bin, 'dockerd') : 'dockerd', args, {
      env: { ...process.env, PATH: path },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    return child;
  }

  async function answers(): Promise<string> {
    for (let tries = 0; tries < 300; tries += 1) {
      const args = ['--host', `unix://${socketPath}`, 'version', '--format', '{{.Server.Version}}'];
      const { code, stdout } = await run('docker', args);
      if (code === 0) return stdout.trim();
      if (daemon.exitCode !== null) break;
      await sleep(100);
    }
    throw new Error(`dockerd of ${suite} does not start: ${(await readFile(logFile, 'utf8')).slice(-2000)}`);
  }

  async function close(): Promise<void> {
    if (daemon.exitCode === null && daemon.signalCode === null) {
      const exited = once(daemon, 'exit');
      daemon.kill('SIGCONT');
      daemon.kill('SIGTERM');
      await exited;
    }
    // A containerd whose daemon was killed goes on, and so do the shims of what ran.
    for (const pid of (await run('pgrep', ['--full', top])).stdout.split('\n').filter(Boolean))
      process.kill(Number(pid), 'SIGKILL');
    const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((point) => point.startsWith(`${top}/`));
    for (const point of mounts.toReversed()) await run('umount', ['--lazy', point]);
    await rm(top, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  const version = await answers().catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    socketPath,
    version,
    get daemon() {
      return daemon;
    },
    start: async () => {
      daemon = spawnDaemon();
      await answers();
    },
    close,
  };
}
