/**
 * Makes a fresh clone on a fresh Debian or Ubuntu able to run: distribution packages, npm packages, build.
 * Plain JavaScript, because it runs before anything is installed. Imported by up.mjs and test.mjs.
 * Idempotent: what is there is not touched, so a second run is a matter of milliseconds.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs a program with the terminal handed on; true when it ended with 0. For those who must tidy up either way. */
export function succeeds(file, args) {
  return spawnSync(file, args, { cwd: root, stdio: 'inherit' }).status === 0;
}

/** Runs a program with the terminal handed on; ends this process when it fails. */
export function must(file, args, options = {}) {
  const result = spawnSync(file, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) fail(`cannot run ${file}: ${result.error.message}`);
  if (result.status !== 0) fail(`${[file, ...args].join(' ')} ended with ${result.status ?? result.signal}`);
}

export function fail(message) {
  process.stderr.write(`wherry: ${message}\n`);
  process.exit(1);
}

/** Replaces a run without root by the same run under sudo, saying what for. Does nothing for root. */
export function needRoot(why) {
  if (process.getuid() === 0) return;
  process.stderr.write(`wherry: needs root (${why}); asking sudo\n`);
  const result = spawnSync('sudo', [process.execPath, ...process.argv.slice(1)], { stdio: 'inherit' });
  if (result.error) fail('sudo is not installed: run this as root');
  process.exit(result.status ?? 1);
}

const searchPath = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];

export function hasCommand(name) {
  return searchPath.some((dir) => isExecutable(join(dir, name)));
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ENOTDIR'].includes(error.code)) return false;
    throw error;
  }
}

const hasCniPlugins = () => ['/opt/cni/bin', '/usr/lib/cni'].some((dir) => existsSync(join(dir, 'bridge')));

function hasAppArmor() {
  const enabled = '/sys/module/apparmor/parameters/enabled';
  return existsSync(enabled) && readFileSync(enabled, 'utf8').trim() === 'Y';
}

/** What a node needs, and the Debian/Ubuntu package that brings it. */
const needs = [
  { package: 'docker.io', present: () => hasCommand('dockerd') },
  { package: 'iptables', present: () => hasCommand('iptables-restore') },
  { package: 'nftables', present: () => hasCommand('nft') },
  { package: 'conntrack', present: () => hasCommand('conntrack') },
  { package: 'iproute2', present: () => hasCommand('ip') },
  { package: 'containernetworking-plugins', present: hasCniPlugins },
  // Docker starts no container on a kernel with AppArmor unless it can load its profile.
  { package: 'apparmor', present: () => !hasAppArmor() || hasCommand('apparmor_parser') },
  { package: 'ca-certificates', present: () => existsSync('/etc/ssl/certs') },
];

/** Debian names it kubernetes-client; Ubuntu has none in its archive, and Wherry works without it. */
const wishes = [{ package: 'kubernetes-client', present: () => hasCommand('kubectl') }];

function apt(args) {
  return spawnSync('apt-get', args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

/** Installs the missing ones of `wanted` (rows of `needs`, or plain package names with a `present` test). */
export function installPackages(extra = []) {
  const missing = [...needs, ...extra].filter((need) => !need.present()).map((need) => need.package);
  const wished = wishes.filter((wish) => !wish.present()).map((wish) => wish.package);
  if (missing.length + wished.length === 0) return;
  if (!hasCommand('apt-get'))
    fail(`please install ${[...missing, ...wished].join(', ')}: this is no Debian or Ubuntu`);
  process.stdout.write(`installing ${[...missing, ...wished].join(', ')}\n`);
  if (apt(['-qq', 'update']).status !== 0) process.stderr.write('wherry: apt-get update failed; going on\n');
  const install = ['-qq', '-y', '--no-install-recommends', 'install'];
  if (missing.length > 0 && apt([...install, ...missing]).status !== 0)
    fail(`cannot install ${missing.join(', ')}`);
  if (wished.length > 0 && apt([...install, ...wished]).status !== 0)
    process.stderr.write(
      `wherry: no ${wished.join(', ')} in this distribution; get kubectl from dl.k8s.io\n`,
    );
}

const newest = (dir) =>
  readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|json)$/.test(entry.name))
    .reduce((latest, entry) => Math.max(latest, statSync(join(entry.parentPath, entry.name)).mtimeMs), 0);

/** `npm ci` when the lock file is newer than what is installed, `npm run build` when a source is newer than dist. */
export function installAndBuild() {
  const installed = join(root, 'node_modules/.package-lock.json');
  const lock = statSync(join(root, 'package-lock.json')).mtimeMs;
  if (!existsSync(installed) || statSync(installed).mtimeMs < lock)
    must('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  const built = join(root, 'dist/.built');
  const sources = Math.max(
    ...['src', 'master', 'agent', 'bench', 'lab'].map((dir) => newest(join(root, dir))),
  );
  if (!existsSync(built) || statSync(built).mtimeMs < sources) must('npm', ['run', '--silent', 'build']);
}
