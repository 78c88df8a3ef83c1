/**
 * For tests against a real Docker: an image with busybox's commands, made without any registry, and the removal of
 * what a test left behind. Imported by tests only.
 */
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ExecResult, run, runChecked } from '../../src/host/exec.js';
import { labels } from './runtime.js';

/** The daemon under test: this machine's, or the one that `docker-versions.root.test.ts` started. */
export const testSocket = process.env['WHERRY_TEST_DOCKER'] ?? '/var/run/docker.sock';

/** Docker's own client on that daemon. */
export const docker = (...args: string[]): Promise<ExecResult> =>
  run('docker', ['--host', `unix://${testSocket}`, ...args]);

async function dockerChecked(...args: string[]): Promise<string> {
  return (await runChecked('docker', ['--host', `unix://${testSocket}`, ...args])).stdout;
}

const reference = 'wherry-test/busybox:1';
const applets = [
  'sh',
  'cat',
  'echo',
  'env',
  'sleep',
  'head',
  'dd',
  'wc',
  'true',
  'id',
  'hostname',
  'nc',
  'ps',
  'stty',
];

/** Makes the image if it is not there; returns its reference. Needs the package busybox-static. */
export async function testImage(): Promise<string> {
  if ((await dockerChecked('image', 'ls', '-q', reference)).trim() !== '') return reference;
  const root = await mkdtemp(join(tmpdir(), 'wherry-image-'));
  try {
    await mkdir(join(root, 'bin'));
    await copyFile('/bin/busybox', join(root, 'bin/busybox'));
    await chmod(join(root, 'bin/busybox'), 0o755);
    for (const applet of applets) await symlink('busybox', join(root, 'bin', applet));
    await runChecked('tar', ['-C', root, '-cf', `${root}.tar`, 'bin']);
    await dockerChecked('import', `${root}.tar`, reference);
  } finally {
    await rm(root, { recursive: true, force: true });
    await rm(`${root}.tar`, { force: true });
  }
  return reference;
}

/** Removes every container that carries this node's label. */
export async function removeLeftovers(node: string): Promise<void> {
  const found = await dockerChecked('ps', '-aq', '--filter', `label=${labels.node}=${node}`);
  const ids = found.split('\n').filter(Boolean);
  if (ids.length > 0) await dockerChecked('rm', '-f', ...ids);
}
