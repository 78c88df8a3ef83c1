/**
 * A whole master in this process, without any node, and stock kubectl against it: the one of the PATH, and others that
 * WHERRY_TEST_KUBECTLS names, separated by colons.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMaster, type Master } from '../../master/main.js';
import { testOptions } from '../../master/testing.js';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';

export const kubectls = ['kubectl', ...(process.env['WHERRY_TEST_KUBECTLS'] ?? '').split(':')].filter(
  (path) => path !== '',
);

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Bench {
  kubeconfig: string;
  /** Not `host/exec`: kubectl's stdin must be given, and its exit code is part of what is tested. */
  run(kubectl: string, args: readonly string[], input?: string): Promise<Ran>;
  /** Ends the master and starts another one on its data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startMaster(): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-kubectl-'));
  // The node of these tests has no heartbeat.
  const options = await testOptions(directory, { nodeMonitorGracePeriod: '1h' });
  const kubeconfig = options.adminKubeconfig;
  const start = async (): Promise<Master> => {
    const made = createMaster(options, { clock: systemClock, log: silentLogger });
    await made.start(new AbortController().signal);
    return made;
  };
  let master = await start();
  const env = {
    ...process.env,
    KUBECONFIG: kubeconfig,
    HOME: directory,
    KUBE_EDITOR: 'sed -i s/hello/edited/',
  };
  return {
    kubeconfig,
    run: (kubectl, args, input = '') =>
      new Promise((resolve) => {
        const child = execFile(kubectl, [...args], { env, timeout: 60_000 }, (error, stdout, stderr) => {
          resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
        });
        child.stdin?.end(input);
      }),
    async restart() {
      await master.stop();
      master = await start();
    },
    async stop() {
      await master.stop();
      await rm(directory, { recursive: true });
    },
  };
}
