import t from 'tap';
import type { Container } from '../../src/api/types.js';
import { runChecked } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { pod as build } from '../../src/testing/builders.js';
import { DockerRuntime } from '../runtime/docker.js';
import { removeLeftovers, testImage } from '../runtime/docker-testing.js';
import { createHarness } from './testing/harness.js';

t.test(
  'a pod on Docker: starts, survives the agent, restarts after out-of-memory, goes without a trace',
  async (t) => {
    const node = `pods-test-${process.pid}`;
    const runtime = new DockerRuntime({
      socketPath: '/var/run/docker.sock',
      node,
      log: silentLogger,
      oomScoreFloor: 0,
    });
    const image = await testImage();
    const h = await createHarness(t, { runtime });
    t.teardown(async () => {
      await removeLeftovers(node);
      runtime.close();
    });
    h.options = {
      nodeName: node,
      exec: runChecked,
      cgroups: {
        parentOf: () => '',
        ensurePod: async () => undefined,
        removePod: async () => undefined,
        listPods: async () => [],
        resourcesOf: (_pod, { resources }) => (resources?.limits ? { memoryBytes: 16 * 1024 * 1024 } : {}),
      },
    };
    const web: Container = { name: 'web', image, command: ['sh', '-c', 'cat /etc/hosts; exec sleep 600'] };
    const eater: Container = {
      name: 'eater',
      image,
      // Not at once: Docker may miss why a container was killed that has hardly begun.
      command: ['sh', '-c', 'sleep 1; exec dd if=/dev/zero of=/dev/null bs=200M count=1'],
      resources: { limits: { memory: '16Mi' } },
      terminationMessagePolicy: 'FallbackToLogsOnError',
    };
    await h.start();
    await h.create(
      build('web', { node, spec: { containers: [web, eater], terminationGracePeriodSeconds: 1 } }),
    );
    const statusOf = async (name: string) =>
      (await h.pod())?.status?.containerStatuses?.find((status) => status.name === name);
    await h.until('web runs', async () => (await statusOf('web'))?.ready === true);
    await h.until('the eater was killed', async () => {
      const eaten = await statusOf('eater');
      return (
        eaten?.state?.waiting?.reason === 'CrashLoopBackOff' &&
        eaten.lastState?.terminated?.reason === 'OOMKilled'
      );
    });
    const eaten = await statusOf('eater');
    t.match(eaten, { lastState: { terminated: { exitCode: 137 } } });
    t.ok((eaten?.restartCount ?? 0) >= 1);

    const before = (await statusOf('web'))?.containerID;
    await h.restart();
    await h.until('adopted', async () => (await h.pod())?.status?.phase === 'Running');
    t.equal((await statusOf('web'))?.containerID, before, 'the running container is the same');
    t.equal((await statusOf('web'))?.restartCount, 0);
    t.equal((await runtime.listSandboxes()).length, 1);

    const { stdout } = await runChecked('docker', ['logs', before?.replace('docker://', '') ?? '']);
    t.match(stdout, /10\.244\.0\.2\tweb/, 'it saw its address in /etc/hosts');

    await h.remove('web');
    await h.until('gone', async () => (await h.pod()) === undefined);
    await h.until(
      'without a trace',
      async () => (await runtime.listContainers()).length + (await runtime.listSandboxes()).length === 0,
    );
  },
);
