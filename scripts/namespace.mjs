/**
 * Runs a program in a new network namespace with `lo` and an `eth0` of its own, so that tests and benchmarks leave the
 * machine's packet filter, routes and links alone: node scripts/namespace.mjs PROGRAM [ARG ...]
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Outside the networks of Services (10.96.0.0/12) and pods (10.244.0.0/16): no node may have an address of those. */
const address = '10.66.0.1/24';
const [, self, inside, ...command] = process.argv;

if (inside !== '--inside') {
  const args = [
    '--net',
    '--',
    process.execPath,
    fileURLToPath(import.meta.url),
    '--inside',
    ...process.argv.slice(2),
  ];
  process.exit(spawnSync('unshare', args, { stdio: 'inherit' }).status ?? 1);
}
for (const args of [
  ['link', 'set', 'lo', 'up'],
  ['link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'cable'],
  ['link', 'set', 'cable', 'up'],
  ['address', 'add', address, 'dev', 'eth0'],
  ['link', 'set', 'eth0', 'up'],
  ['route', 'add', 'default', 'dev', 'eth0'],
]) {
  const result = spawnSync('ip', args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`ip ${args.join(' ')}: ${result.stderr}`);
}
const [file = self, ...args] = command;
process.exit(spawnSync(file, args, { stdio: 'inherit' }).status ?? 1);
