/**
 * Kernel settings the pod network needs. What they were before is kept in a file, so that `restore` can put it back.
 * Called by `pods.ts` (set) and `cleanup.ts` (restore). The file is written before a setting changes.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Exec, runChecked } from '../../src/host/exec.js';
import { hasCode, readIfExists, writeAtomic } from '../../src/host/files.js';

/** Without these the host neither forwards packets of pods nor shows bridged ones to iptables. */
export const podNetworkSysctls: Readonly<Record<string, string>> = {
  'net/ipv4/ip_forward': '1',
  'net/bridge/bridge-nf-call-iptables': '1',
};

export interface SysctlOptions {
  /** Holds the old values as JSON. */
  stateFile: string;
  /** `/proc/sys` but in tests. */
  root?: string;
  exec?: Exec;
}

type Values = Record<string, string>;

/** Sets each setting that differs, after noting what it was. Loads `br_netfilter` when its settings are not there. */
export async function applySysctls(wanted: Readonly<Values>, options: SysctlOptions): Promise<void> {
  const { stateFile, root = '/proc/sys', exec = runChecked } = options;
  const old = await readState(stateFile);
  for (const [name, value] of Object.entries(wanted)) {
    const file = join(root, name);
    const current = await readFile(file, 'utf8').catch(async (error: unknown) => {
      if (!name.startsWith('net/bridge/') || !hasCode(error, 'ENOENT')) throw error;
      await exec('modprobe', ['br_netfilter']);
      return readFile(file, 'utf8');
    });
    if (current.trim() === value) continue;
    if (old[name] === undefined) {
      old[name] = current.trim();
      await writeAtomic(stateFile, JSON.stringify(old), 0o600);
    }
    await writeFile(file, value);
  }
}

/** Puts back what `applySysctls` changed, and forgets it. A setting that no longer exists is skipped. */
export async function restoreSysctls(options: SysctlOptions): Promise<void> {
  const { stateFile, root = '/proc/sys' } = options;
  for (const [name, value] of Object.entries(await readState(stateFile))) {
    await writeFile(join(root, name), value, { flag: 'r+' }).catch((error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error;
    });
  }
  await rm(stateFile, { force: true });
}

async function readState(file: string): Promise<Values> {
  const data = await readIfExists(file);
  return data ? (JSON.parse(data.toString()) as Values) : {};
}
