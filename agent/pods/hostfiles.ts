/**
 * The files the agent manages inside containers: /etc/hosts, /etc/resolv.conf and the termination message file.
 *
 *   <pods>/<uid>/etc-hosts, resolv.conf          shared by the containers of the pod
 *   <pods>/<uid>/containers/<name>/<attempt>     termination message
 *
 * They are bind mounts, so they are written in place, never replaced. /etc/hosts gets its content before a container
 * starts, when the address is known; that is why it is made empty first.
 */
import { chmod, type FileHandle, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container, Pod } from '../../src/api/types.js';
import { hasCode, readIfExists } from '../../src/host/files.js';
import type { Mount } from '../runtime/runtime.js';
import { requireName } from '../volumes/volumes.js';
import { type ResolvConf, renderResolvConf, wantsClusterDns } from './dns.js';
import { renderHosts } from './etcfiles.js';
import { podUid } from './names.js';
import type { PodConfig } from './nodeconfig.js';

export interface HostFiles {
  /** Tells users what they have to know about the pod's resolver. */
  prepare(pod: Pod): Promise<ResolvConf['warnings']>;
  writeHosts(pod: Pod, ips: readonly string[]): Promise<void>;
  mountsOf(pod: Pod, spec: Container, attempt: number): Promise<Mount[]>;
  /** What a container wrote for its end; '' when nothing. */
  terminationMessage(uid: string, container: string, attempt: number): Promise<string>;
  remove(uid: string): Promise<void>;
}

/** Kubernetes reads this much of a termination message, from its end. */
const maxMessageBytes = 4096;
const defaultMessagePath = '/dev/termination-log';
/** Where systemd-resolved keeps the servers that /etc/resolv.conf hides behind a loopback address. */
const resolvedFile = '/run/systemd/resolve/resolv.conf';

export interface HostFilesOptions {
  podsDirectory: string;
  config: Pick<PodConfig, 'clusterDns' | 'clusterDomain' | 'apiAddress' | 'resolvConf'>;
  /** The host's own. */
  hostsFile?: string;
}

export function createHostFiles({
  podsDirectory,
  config,
  hostsFile = '/etc/hosts',
}: HostFilesOptions): HostFiles {
  const { clusterDomain } = config;
  const dns = { servers: config.clusterDns, domain: clusterDomain };
  const directoryOf = (uid: string): string => join(podsDirectory, requireName(uid));
  const fileOf = (pod: Pod, name: string): string => join(directoryOf(podUid(pod)), name);
  const messageFile = (uid: string, container: string, attempt: number): string =>
    join(directoryOf(uid), 'containers', requireName(container), String(attempt));

  async function hostResolvConf(): Promise<string> {
    const text = (await readIfExists(config.resolvConf))?.toString() ?? '';
    if (!/^\s*nameserver\s+127\.0\.0\.53\s*$/m.test(text)) return text;
    return (await readIfExists(resolvedFile))?.toString() ?? text;
  }

  return {
    async prepare(pod) {
      await mkdir(directoryOf(podUid(pod)), { recursive: true, mode: 0o750 });
      await (await open(fileOf(pod, 'etc-hosts'), 'a', 0o644)).close();
      const { text, warnings } = renderResolvConf(pod, await hostResolvConf(), dns);
      await writeInPlace(fileOf(pod, 'resolv.conf'), text);
      return warnings;
    },
    async writeHosts(pod, ips) {
      const hostText = pod.spec?.hostNetwork ? await readFile(hostsFile, 'utf8') : undefined;
      const apiAddress = wantsClusterDns(pod) && dns.servers.length === 0 ? config.apiAddress : undefined;
      const facts = { ips, clusterDomain, apiAddress, hostText };
      await writeInPlace(fileOf(pod, 'etc-hosts'), renderHosts(pod, facts));
    },
    async mountsOf(pod, spec, attempt) {
      const message = messageFile(podUid(pod), spec.name, attempt);
      await mkdir(join(message, '..'), { recursive: true, mode: 0o750 });
      await (await open(message, 'a', 0o666)).close();
      await chmod(message, 0o666);
      const readOnly = spec.securityContext?.readOnlyRootFilesystem === true;
      return [
        { hostPath: fileOf(pod, 'etc-hosts'), containerPath: '/etc/hosts', readOnly },
        { hostPath: fileOf(pod, 'resolv.conf'), containerPath: '/etc/resolv.conf', readOnly },
        {
          hostPath: message,
          containerPath: spec.terminationMessagePath || defaultMessagePath,
          readOnly: false,
        },
      ];
    },
    async terminationMessage(uid, container, attempt) {
      return readEnd(messageFile(uid, container, attempt));
    },
    remove: (uid) => rm(directoryOf(uid), { recursive: true, force: true }),
  };
}

/** The container may have written any amount. */
async function readEnd(path: string): Promise<string> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
  try {
    const { size } = await file.stat();
    const length = Math.min(size, maxMessageBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead).toString();
  } finally {
    await file.close();
  }
}

async function writeInPlace(path: string, text: string): Promise<void> {
  if ((await readIfExists(path))?.toString() === text) return;
  await writeFile(path, text, { mode: 0o644 });
}
