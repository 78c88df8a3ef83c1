/**
 * What the agent reads about its host: facts that stay (`readMachine`) and usage (`readUsage`), from /proc, /sys and
 * statfs. Called by `node.ts`; a handful of small reads, no processes. Parsing is pure.
 */
import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, release } from 'node:os';
import { join } from 'node:path';
import { hasCode } from '../../src/host/files.js';
import { readHugePages } from '../cgroups/hugepages.js';
import type { HostSize } from './allocatable.js';

export interface Machine extends HostSize {
  machineId: string;
  systemUuid: string;
  bootId: string;
  kernelVersion: string;
  osImage: string;
  /** As Kubernetes and Go name it: `amd64`, `arm64`. */
  architecture: string;
  swapBytes: number;
}

export interface Usage {
  memoryAvailableBytes: number;
  /** The file system that holds the agent's data. */
  disk: { totalBytes: number; availableBytes: number; inodes: number; inodesFree: number };
  processes: { limit: number; used: number };
}

/** `root` is `/` but in tests. */
export async function readMachine(root = '/'): Promise<Machine> {
  const text = (path: string): Promise<string> => readText(join(root, path));
  const meminfo = await text('proc/meminfo');
  const machineId = (await text('etc/machine-id')) || (await text('var/lib/dbus/machine-id'));
  return {
    machineId,
    systemUuid: (await text('sys/class/dmi/id/product_uuid')) || machineId,
    bootId: await text('proc/sys/kernel/random/boot_id'),
    kernelVersion: release(),
    osImage: osImageOf(await text('etc/os-release')),
    architecture: architectureOf(process.arch),
    cpuCount: availableParallelism(),
    memoryBytes: memoryOf(meminfo, 'MemTotal'),
    swapBytes: memoryOf(meminfo, 'SwapTotal'),
    processLimit: Math.min(
      Number(await text('proc/sys/kernel/pid_max')),
      Number(await text('proc/sys/kernel/threads-max')),
    ),
    hugePages: await readHugePages(root),
  };
}

export async function readUsage(dataDirectory: string, root = '/'): Promise<Usage> {
  const [meminfo, loadavg, pidMax, threadsMax, disk] = await Promise.all([
    readText(join(root, 'proc/meminfo')),
    readText(join(root, 'proc/loadavg')),
    readText(join(root, 'proc/sys/kernel/pid_max')),
    readText(join(root, 'proc/sys/kernel/threads-max')),
    statfs(dataDirectory),
  ]);
  return {
    memoryAvailableBytes: memoryOf(meminfo, 'MemAvailable'),
    disk: {
      totalBytes: disk.blocks * disk.bsize,
      availableBytes: disk.bavail * disk.bsize,
      inodes: disk.files,
      inodesFree: disk.ffree,
    },
    processes: { limit: Math.min(Number(pidMax), Number(threadsMax)), used: threadsOf(loadavg) },
  };
}

/** Trimmed; '' when the host has no such file or nobody may read it. */
async function readText(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES', 'EPERM', 'ENODEV', 'EIO')) return '';
    throw error;
  }
}

/** `MemTotal:  2037784 kB` -> bytes. */
export const memoryOf = (meminfo: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? 0) * 1024;

/** The fourth field of loadavg is `running/all` threads. */
export const threadsOf = (loadavg: string): number => Number(/ \d+\/(\d+) /.exec(loadavg)?.[1] ?? 0);

export const osImageOf = (osRelease: string): string =>
  (/^PRETTY_NAME=(.*)$/m.exec(osRelease)?.[1] ?? 'Linux').replace(/^(["'])(.*)\1$/, '$2');

/** Node's name of a processor architecture as Go's. */
export const architectureOf = (arch: string): string =>
  ({ x64: 'amd64', ia32: '386', arm64: 'arm64', arm: 'arm', ppc64: 'ppc64le' })[arch] ?? arch;
