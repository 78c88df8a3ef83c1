/** A whole master over HTTPS for tests of quotas: in this process, or in one that can be killed. Imported by tests only. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, extname, join } from 'node:path';
import type { Test } from 'tap';
import { isReason } from '../../../../src/api/errors.js';
import { configMaps, namespaces, type ResourceType, resourceQuotas } from '../../../../src/api/kinds.js';
import type { KubeObject, Pod } from '../../../../src/api/types.js';
import type { Client } from '../../../../src/client/client.js';
import { loadKubeconfig } from '../../../../src/client/kubeconfig.js';
import { createRestClient, type RestClient } from '../../../../src/client/rest.js';
import { systemClock } from '../../../../src/host/clock.js';
import { silentLogger } from '../../../../src/host/log.js';
import { freePort } from '../../../../src/testing/port.js';
import { createMaster } from '../../../main.js';
import { testOptions } from '../../../testing.js';

/** The client of its administrator. */
export async function startMaster(t: Test): Promise<Client> {
  const directory = t.testdir();
  const options = await testOptions(directory);
  const master = createMaster(options, { clock: systemClock, log: silentLogger });
  await master.start(new AbortController().signal);
  const client = createRestClient({
    ...(await loadKubeconfig(options.adminKubeconfig)),
    server: master.url(),
  });
  t.teardown(async () => {
    await client.close();
    await master.stop();
  });
  return client;
}

export interface MasterProcess {
  /** Resolves with a new client when it answers. */
  start(): Promise<Client>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

export async function createMasterProcess(t: Test): Promise<MasterProcess> {
  const directory = t.testdir();
  const adminKubeconfig = join(directory, 'admin.kubeconfig');
  const here = import.meta.filename;
  const cli = join(dirname(here), `../../../../src/cli/main${extname(here)}`);
  const flags = {
    'data-dir': directory,
    'bind-address': '127.0.0.1',
    'secure-port': String(await freePort()),
    'admin-kubeconfig': adminKubeconfig,
  };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  let child: ChildProcess | undefined;
  let client: RestClient | undefined;
  async function kill(): Promise<void> {
    await client?.close();
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
  t.teardown(kill);
  return {
    kill,
    async start() {
      child = spawn(process.execPath, [...process.execArgv, cli, 'master', ...args], { stdio: 'ignore' });
      await eventually(async () => {
        try {
          client = createRestClient(await loadKubeconfig(adminKubeconfig));
          await client.list(namespaces);
          return true;
        } catch {
          await client?.close();
          return false;
        }
      });
      return client as Client;
    },
  };
}

/** Asks until it is so; the test's own time limit ends it. */
export async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  const { signal } = new AbortController();
  while (!(await isSo())) await systemClock.sleep(20, signal);
}

/** Of the quota `q`. */
export async function usedOf(client: Client, namespace: string): Promise<Record<string, string>> {
  return (await client.get(resourceQuotas, { namespace, name: 'q' })).status?.used ?? {};
}

/** A namespace with the quota `q` in force. */
export async function prepare(
  client: Client,
  namespace: string,
  hard: Record<string, string>,
): Promise<void> {
  await client.create(namespaces, { metadata: { name: namespace } });
  await eventually(async () => (await client.list(configMaps, { namespace })).items.length > 0);
  await client.create(resourceQuotas, { metadata: { namespace, name: 'q' }, spec: { hard } });
  await eventually(async () => Object.keys(await usedOf(client, namespace)).length > 0);
}

export const podOf = (namespace: string, name: string): Pod => ({
  metadata: { namespace, name },
  spec: {
    containers: [{ name: 'c', image: 'x', resources: { requests: { cpu: '100m' }, limits: { cpu: '1' } } }],
  },
});

export const mapOf = (namespace: string, name: string): KubeObject => ({ metadata: { namespace, name } });

/** True when it was made, false when the quota refused it. */
export async function tryCreate<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  object: T,
): Promise<boolean> {
  try {
    await client.create(type, object);
    return true;
  } catch (error) {
    if (isReason(error, 'Forbidden') && /exceeded quota: q, requested: /.test(error.message)) return false;
    throw error;
  }
}

export const namesOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `o-${index}`);
