/**
 * Where everything of the lab is: names, addresses and paths, derived from a host's number. Pure.
 *
 *   namespace wherry-lab         bridge lab0, 10.67.0.1: the "outside", where a client of a NodePort sits
 *   namespace wherry-lab-1       eth0 10.67.0.11: master and agent of node-1
 *   namespace wherry-lab-2 ...   eth0 10.67.0.12: agent of node-2
 */
import { join } from 'node:path';

export const outsideNamespace = 'wherry-lab';
/** Outside the networks of Services and pods. */
export const outsideAddress = '10.67.0.1';
export const bridge = 'lab0';
export const prefixLength = 24;
export const cgroupRoot = 'wherry-lab';
export const runDir = '/run/wherry-lab';
export const dataDir = '/var/lib/wherry-lab';
export const kubeconfig = join(dataDir, 'admin.kubeconfig');
export const masterUrl = 'https://10.67.0.11:6443';

export interface LabHost {
  number: number;
  /** Node name: `node-1`. */
  name: string;
  namespace: string;
  address: string;
  /** End of its cable on the bridge. */
  port: string;
  runDir: string;
  dataDir: string;
  dockerSocket: string;
  /** Below every cgroup hierarchy. */
  cgroup: string;
}

export function labHost(number: number): LabHost {
  const name = `node-${number}`;
  return {
    number,
    name,
    namespace: `${outsideNamespace}-${number}`,
    address: `10.67.0.${10 + number}`,
    port: `port${number}`,
    runDir: join(runDir, name),
    dataDir: join(dataDir, name),
    dockerSocket: join(runDir, name, 'docker.sock'),
    cgroup: `${cgroupRoot}/${name}`,
  };
}

export const labHosts = (count: number): LabHost[] =>
  Array.from({ length: count }, (_, index) => labHost(index + 1));

/** `node-2`, `2` or `outside` as a user writes it. */
export function namespaceOf(word: string): string {
  if (word === 'outside') return outsideNamespace;
  const number = Number(word.replace(/^node-/, ''));
  if (!Number.isInteger(number) || number < 1)
    throw new Error(`"${word}" is no lab host; write node-1, node-2... or outside`);
  return labHost(number).namespace;
}
