/**
 * Network devices as `ip -j` tells them. Called by `pods.ts`, `router.ts` and `cleanup.ts`.
 */
import { type Exec, ExecError } from '../../src/host/exec.js';

export interface Underlay {
  /** The device that carries the node's address. */
  device: string;
  mtuBytes: number;
}

/** VXLAN puts 50 bytes in front of a packet: outer Ethernet, IP, UDP and VXLAN headers. */
export const vxlanOverheadBytes = 50;

/** Runs `ip` with JSON output; a device or namespace that is not there yields an empty list. */
export async function ipJson<T>(exec: Exec, args: readonly string[]): Promise<T[]> {
  const { code, stdout, stderr } = await exec('ip', ['-j', ...args]);
  if (code === 0) return stdout.trim() === '' ? [] : (JSON.parse(stdout) as T[]);
  if (/does not exist|Cannot find device/.test(stderr)) return [];
  throw new ExecError('ip', args, { code, stdout, stderr });
}

/** The device that has `address`. Throws when none has. */
export async function findUnderlay(exec: Exec, address: string): Promise<Underlay> {
  const links = await ipJson<{ ifname?: string; mtu?: number }>(exec, [
    'address',
    'show',
    'to',
    `${address}/32`,
  ]);
  const link = links.find((candidate) => candidate.ifname !== undefined);
  if (!link) throw new Error(`no network device has the node's address ${address}`);
  return { device: link.ifname ?? '', mtuBytes: link.mtu ?? 1500 };
}

/** Removes a device; that it is gone already is fine. */
export async function deleteLink(exec: Exec, device: string): Promise<void> {
  const args = ['link', 'delete', 'dev', device];
  const result = await exec('ip', args);
  if (result.code !== 0 && !/Cannot find device|does not exist/.test(result.stderr))
    throw new ExecError('ip', args, result);
}
