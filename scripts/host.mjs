/**
 * What `npm run up` changes on the machine besides Wherry itself (the Docker daemon, where none ran), and how
 * `npm run down` takes it back. The state before the first change is kept in one file, written before that change, so a
 * run that dies in the middle is undone all the same. Wherry's own chains, links and mounts: `agent/cleanup.ts`.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail, hasCommand } from './prepare.mjs';

/** Where `up` keeps its note: not among the data, which a purge removes before it is read. The tests keep theirs elsewhere. */
const noteOfUp = '/var/lib/wherry-host/host.json';
const logFile = '/var/log/wherry/dockerd.log';
const dockerSocket = '/var/run/docker.sock';
const sysctls = [
  'net/ipv4/ip_forward',
  'net/ipv4/conf/all/forwarding',
  'net/ipv4/conf/default/forwarding',
  'net/ipv6/conf/all/forwarding',
  'net/ipv6/conf/default/forwarding',
  'net/bridge/bridge-nf-call-iptables',
  'net/bridge/bridge-nf-call-ip6tables',
];

const run = (file, args, options = {}) => spawnSync(file, args, { encoding: 'utf8', ...options });
const hasSystemd = () => existsSync('/run/systemd/system');
const readState = (note) => (existsSync(note) ? JSON.parse(readFileSync(note, 'utf8')) : undefined);

function writeState(note, state) {
  mkdirSync(dirname(note), { recursive: true, mode: 0o755 });
  writeFileSync(`${note}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${note}.new`, note);
}

/** Notes the state of the host, once: a second `up` finds the note and leaves it. Call before anything is changed. */
export function captureHost(note = noteOfUp) {
  if (readState(note)) return;
  writeState(note, {
    dockerInstalled: hasCommand('dockerd'),
    dockerStarted: false,
    nftTables: listTables(),
    forwardPolicy: { iptables: forwardPolicy('iptables'), ip6tables: forwardPolicy('ip6tables') },
    sysctls: Object.fromEntries(
      sysctls.flatMap((key) => (existsSync(`/proc/sys/${key}`) ? [[key, readSysctl(key)]] : [])),
    ),
    cgroups: cgroupDirs(),
  });
}

const readSysctl = (key) => readFileSync(`/proc/sys/${key}`, 'utf8').trim();

/** `ip nat`, `ip filter`...; empty where there is no nft yet, which is also the truth: nobody made a table with it. */
function listTables() {
  if (!hasCommand('nft')) return [];
  return run('nft', ['list', 'tables'])
    .stdout.split('\n')
    .map((line) => line.replace(/^table /, '').trim())
    .filter((table) => table !== '');
}

function forwardPolicy(command) {
  if (!hasCommand(command)) return 'ACCEPT';
  const line = run(command, ['-S', 'FORWARD']).stdout?.split('\n')[0] ?? '';
  return line.startsWith('-P FORWARD ') ? line.slice(11).trim() : 'ACCEPT';
}

/** Directories of the first level under every cgroup hierarchy. */
function cgroupDirs() {
  const top = '/sys/fs/cgroup';
  if (!existsSync(top)) return [];
  const dirsIn = (dir) =>
    readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [join(dir, entry.name)] : [],
    );
  const isUnified = existsSync(join(top, 'cgroup.controllers'));
  return isUnified ? dirsIn(top) : dirsIn(top).flatMap(dirsIn);
}

function answers(socket) {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once('connect', () => resolve(true)).once('error', () => resolve(false));
    connection.once('connect', () => connection.destroy());
  });
}

/** Starts the Docker daemon unless one answers; the daemon started here is stopped by `restoreHost`. */
export async function startDocker(note = noteOfUp) {
  if (await answers(dockerSocket)) return;
  process.stdout.write('starting the Docker daemon\n');
  const state = readState(note);
  writeState(note, { ...state, dockerStarted: true });
  if (hasSystemd()) {
    const result = run('systemctl', ['start', 'docker']);
    if (result.status !== 0) fail(`systemctl start docker: ${result.stderr.trim()}`);
  } else {
    mkdirSync(dirname(logFile), { recursive: true });
    const log = openSync(logFile, 'a');
    const daemon = spawn('dockerd', [], { detached: true, stdio: ['ignore', log, log] });
    daemon.unref();
    writeState(note, { ...state, dockerStarted: true, dockerPid: daemon.pid });
  }
  for (let tries = 0; tries < 300; tries++) {
    if (await answers(dockerSocket)) return;
    await sleep(100);
  }
  fail(
    `the Docker daemon did not come up within 30 s; see ${hasSystemd() ? 'journalctl -u docker' : logFile}`,
  );
}

/** Takes back what `captureHost` and `startDocker` prepared for. Idempotent; does nothing without a note. */
export async function restoreHost({ purge, note = noteOfUp }) {
  const state = readState(note);
  if (!state) return;
  const ours = state.dockerStarted || !state.dockerInstalled;
  if (ours) {
    await stopDocker(state);
    removeDockerLeftovers();
    for (const command of ['iptables', 'ip6tables'])
      restoreForwardPolicy(command, state.forwardPolicy[command]);
  }
  removeNewTables(state.nftTables);
  for (const [key, value] of Object.entries(state.sysctls)) {
    if (existsSync(`/proc/sys/${key}`) && readSysctl(key) !== value) writeFileSync(`/proc/sys/${key}`, value);
  }
  if (ours) removeNewCgroups(new Set(state.cgroups));
  rmSync(dirname(note), { recursive: true });
  if (purge)
    for (const dir of ['/var/lib/wherry', '/var/log/wherry', '/etc/wherry'])
      rmSync(dir, { recursive: true, force: true });
}

async function stopDocker(state) {
  process.stdout.write('stopping the Docker daemon\n');
  if (hasSystemd()) {
    run('systemctl', ['stop', 'docker.socket', 'docker.service', 'containerd.service']);
    return;
  }
  if (!state.dockerPid || !isDockerd(state.dockerPid)) return;
  process.kill(state.dockerPid, 'SIGTERM');
  for (let tries = 0; tries < 300 && isDockerd(state.dockerPid); tries++) await sleep(100);
}

function isDockerd(pid) {
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file) && readFileSync(file, 'utf8').startsWith('dockerd');
}

/** dockerd leaves its bridge, chains and an empty namespace mount behind when it ends. */
function removeDockerLeftovers() {
  if (existsSync('/sys/class/net/docker0')) run('ip', ['link', 'delete', 'docker0']);
  for (const mount of mountsUnder('/run/docker/').concat(mountsUnder('/var/lib/docker/')))
    run('umount', [mount]);
  for (const family of ['iptables', 'ip6tables']) if (hasCommand(family)) removeDockerChains(family);
}

const mountsUnder = (prefix) =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(prefix) || path.startsWith(`/var${prefix}`));

function removeDockerChains(family) {
  const lines = run(`${family}-save`, []).stdout.split('\n');
  const restore = [];
  for (const line of lines) {
    if (line.startsWith('*') || line === 'COMMIT') restore.push(line);
    const chain = /^:(DOCKER\S*) /.exec(line)?.[1];
    if (chain) restore.push(`-F ${chain}`);
    if (/^-A (?!DOCKER)/.test(line) && /(-j DOCKER|docker0|172\.17\.0\.0\/16)/.test(line))
      restore.push(line.replace('-A', '-D'));
    if (line === 'COMMIT') restore.splice(-1, 0, ...chainsOf(restore));
  }
  const result = run(`${family}-restore`, ['--noflush'], { input: `${restore.join('\n')}\n` });
  if (result.status !== 0)
    process.stderr.write(`wherry: Docker's ${family} chains stay: ${result.stderr.trim()}\n`);
}

/** `-X` lines for the chains flushed since the last table began. */
function chainsOf(restore) {
  const table = restore.slice(restore.findLastIndex((line) => line.startsWith('*')));
  return table.filter((line) => line.startsWith('-F DOCKER')).map((line) => line.replace('-F', '-X'));
}

function restoreForwardPolicy(command, policy) {
  if (hasCommand(command) && forwardPolicy(command) !== policy) run(command, ['-P', 'FORWARD', policy]);
}

/** Deletes packet filter tables that did not exist before, when nothing is left in them. */
function removeNewTables(before) {
  for (const table of listTables().filter((name) => !before.includes(name))) {
    const [family, name] = table.split(' ');
    if (!['ip', 'ip6'].includes(family ?? '')) continue;
    const save = run(family === 'ip' ? 'iptables-save' : 'ip6tables-save', ['-t', name]);
    const isEmpty = save.status === 0 && !/^-A |^:\S+ - /m.test(save.stdout);
    if (isEmpty) run('nft', ['delete', 'table', family, name]);
  }
}

function removeNewCgroups(before) {
  for (const dir of cgroupDirs().filter((path) => !before.has(path) && /\/docker$/.test(path))) {
    for (const child of readdirSync(dir, { withFileTypes: true }))
      if (child.isDirectory()) removeDir(join(dir, child.name));
    removeDir(dir);
  }
}

function removeDir(dir) {
  try {
    rmdirSync(dir);
  } catch (error) {
    if (!['ENOENT', 'EBUSY'].includes(error.code)) throw error;
  }
}
