/** The cables of the lab: one namespace per host, each with a veth to a bridge in a namespace of its own. Idempotent. */
import { existsSync } from 'node:fs';
import { runChecked } from '../src/host/exec.js';
import { bridge, type LabHost, outsideAddress, outsideNamespace, prefixLength } from './layout.js';

const hasNamespace = (name: string): boolean => existsSync(`/run/netns/${name}`);
const ip = (...args: string[]): Promise<unknown> => runChecked('ip', args);
const ipIn = (namespace: string, ...args: string[]): Promise<unknown> => ip('-netns', namespace, ...args);

export async function plugIn(hosts: readonly LabHost[]): Promise<void> {
  await makeOutside();
  for (const host of hosts) if (!hasNamespace(host.namespace)) await makeHost(host);
}

async function makeOutside(): Promise<void> {
  if (hasNamespace(outsideNamespace)) return;
  await ip('netns', 'add', outsideNamespace);
  await ipIn(outsideNamespace, 'link', 'set', 'lo', 'up');
  await ipIn(outsideNamespace, 'link', 'add', bridge, 'type', 'bridge');
  await ipIn(outsideNamespace, 'address', 'add', `${outsideAddress}/${prefixLength}`, 'dev', bridge);
  await ipIn(outsideNamespace, 'link', 'set', bridge, 'up');
}

async function makeHost({ namespace, port, address }: LabHost): Promise<void> {
  await ip('netns', 'add', namespace);
  await ipIn(
    outsideNamespace,
    'link',
    'add',
    port,
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    namespace,
  );
  await ipIn(outsideNamespace, 'link', 'set', port, 'master', bridge, 'up');
  await ipIn(namespace, 'link', 'set', 'lo', 'up');
  await ipIn(namespace, 'address', 'add', `${address}/${prefixLength}`, 'dev', 'eth0');
  await ipIn(namespace, 'link', 'set', 'eth0', 'up');
  await ipIn(namespace, 'route', 'add', 'default', 'via', outsideAddress);
}

/** Pulls the host's cable, or puts it back. */
export const setCable = (host: LabHost, state: 'up' | 'down'): Promise<unknown> =>
  ipIn(outsideNamespace, 'link', 'set', host.port, state);

export async function unplug(hosts: readonly LabHost[]): Promise<void> {
  for (const name of [...hosts.map((host) => host.namespace), outsideNamespace]) {
    if (hasNamespace(name)) await ip('netns', 'delete', name);
  }
}
