/**
 * `wherry up`: one host, master and agent, from nothing to an answering example. Every step looks first and acts only on
 * what is missing, so a second run changes nothing and a run that died in the middle is completed by the next.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { nodes } from '../../api/kinds.js';
import { isConditionTrue } from '../../api/meta.js';
import { writeAtomic } from '../../host/files.js';
import { isIp } from '../../net/ip.js';
import { type Admin, openAdmin } from '../admin.js';
import { loadConfig } from '../config.js';
import { masterFlags } from '../masterflags.js';
import { configOf, paths, type Role } from '../paths.js';
import { ensureAccount, findBarrier } from './account.js';
import { deployExample } from './example.js';
import { program, startSupervisor } from './supervise.js';
import { checkReach, hasSystemd, startUnit } from './systemd.js';
import { reachServer, waitFor } from './wait.js';

export interface UpFlags {
  nodeIp?: string;
  example: boolean;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

export async function up(flags: UpFlags): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('needs root: it installs services and programs the network');
  if (flags.nodeIp !== undefined && !isIp(flags.nodeIp))
    throw new Error(`--node-ip: ${JSON.stringify(flags.nodeIp)} is no IP address`);
  await ensureConfig('master', flags.nodeIp ? { 'advertise-address': flags.nodeIp } : {});
  await startRole('master', await prepareAccount());
  await reachServer(paths.adminKubeconfig, 120_000, logHint('master'));
  const admin = await openAdmin(paths.adminKubeconfig);
  say(`master   ${admin.server}`);

  if (!existsSync(configOf('agent'))) await ensureConfig('agent', await agentConfig(admin, flags.nodeIp));
  await startRole('agent');
  const node = await waitFor(
    admin.client,
    nodes,
    {},
    (object) => isConditionTrue(object.status?.conditions, 'Ready'),
    {
      timeoutMs: 120_000,
      what: 'the node to become Ready',
      hint: logHint('agent'),
    },
  );
  const address =
    node.status?.addresses?.find((candidate) => candidate.type === 'InternalIP')?.address ?? '127.0.0.1';
  say(`node     ${node.metadata.name} is Ready at ${address}`);

  if (flags.example) {
    const answer = await deployExample(admin.client, address);
    say(`example  ${answer.url} answers:\n\n${answer.body.trim()}\n`);
  }
  say(`kubectl --kubeconfig ${paths.adminKubeconfig} get pods -o wide`);
}

async function agentConfig(
  { client, caPem }: Admin,
  nodeIp: string | undefined,
): Promise<Record<string, string>> {
  const { createBootstrapToken } = await import('../../../master/auth/token.js');
  const token = await createBootstrapToken(client, { ca: caPem, ttlMs: 3_600_000 });
  return { server: 'https://127.0.0.1:6443', token, ...(nodeIp && { 'node-ip': nodeIp }) };
}

/** Writes the role's configuration unless there is one: what an administrator put there stays. */
async function ensureConfig(role: Role, settings: Record<string, string>): Promise<void> {
  if (existsSync(configOf(role))) return;
  mkdirSync(paths.configDir, { recursive: true, mode: 0o755 });
  const text =
    Object.keys(settings).length === 0
      ? '# flags of `wherry master`, one per line: name: value\n'
      : stringify(settings);
  await writeAtomic(configOf(role), text, 0o600);
}

/**
 * The master is not root, except where nobody else can get at the program (a clone in /root without systemd). The answer is
 * where the data of one that is not root lies.
 */
async function prepareAccount(): Promise<string | undefined> {
  const barrier = program.map((file) => findBarrier(file)).find((found) => found !== undefined);
  if (hasSystemd()) checkReach();
  else if (barrier !== undefined) {
    say(`the master runs as root: others may not pass ${barrier}`);
    return undefined;
  }
  const { dataDir = paths.dataDir } = loadConfig({ config: configOf('master') }, masterFlags);
  return ensureAccount(dataDir);
}

async function startRole(role: Role, data?: string): Promise<void> {
  if (hasSystemd()) await startUnit(role, data);
  else startSupervisor(role);
}

function logHint(role: Role): string {
  return hasSystemd() ? `journalctl -u wherry-${role}` : join(paths.logDir, `${role}.log`);
}
