/**
 * One node on a containerd of its own, as a user of kubectl sees it: pods with their network, Services, host ports, exec,
 * logs, port-forward; an agent that is killed, a containerd that is killed, one that hangs; and nothing left behind.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import { startContainerd, testImage } from '../agent/runtime/cri/testing.js';
import { run, runChecked } from '../src/host/exec.js';
import { startCluster } from './cluster.js';
import { eventually } from './wait.js';

const patient = { timeout: 400_000 };
const image = { image: 'busybox', imagePullPolicy: 'IfNotPresent' } as const;

const pod = (name: string, spec: object): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: { terminationGracePeriodSeconds: 1, ...spec },
});

const talk = 'echo first; echo oops >&2; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.2; done';
const site =
  'mkdir /www; echo hello > /www/index.html; trap "exit 0" TERM; httpd -p 8080 -h /www; while :; do sleep 0.1; done';

t.test('a node on containerd', { timeout: 1_100_000 }, async (t) => {
  const containerd = await startContainerd();
  await testImage(containerd.socketPath, 'docker.io/library/busybox:latest');
  const cluster = await startCluster({
    name: 'ctd',
    agent: {
      runtime: 'containerd',
      'runtime-endpoint': `unix://${containerd.socketPath}`,
      'log-dir': join(containerd.directory, 'log-files'),
    },
  });
  const isDown = { value: false };
  const takeDown = async (): Promise<void> => {
    if (isDown.value) return;
    isDown.value = true;
    await cluster.stop();
    await containerd.destroy();
  };
  t.teardown(takeDown);
  const { kubectl, tryKubectl } = cluster;

  const apply = async (...objects: object[]): Promise<void> => {
    const result = await tryKubectl(
      ['apply', '-f', '-'],
      objects.map((object) => stringify(object)).join('---\n'),
    );
    if (result.code !== 0) throw new Error(result.stderr);
  };
  const ready = (name: string): Promise<string> =>
    kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s');
  const read = (name: string, path: string): Promise<string> =>
    kubectl('get', 'pod', name, '-o', `jsonpath={${path}}`);
  const readyOfNode = (): Promise<string> =>
    kubectl(
      'get',
      'node',
      cluster.nodeName,
      '-o',
      'jsonpath={.status.conditions[?(@.type=="Ready")].status}',
    );

  await t.test('the node tells its runtime, and pods run on its network', patient, async (t) => {
    t.match(await kubectl('get', 'nodes', '-o', 'wide'), /containerd:\/\/\d+\.\d+/);
    await apply(
      pod('web', {
        containers: [
          {
            ...image,
            name: 'main',
            command: ['sh', '-c', site],
            ports: [{ containerPort: 8080, hostPort: 18080 }],
            resources: { limits: { memory: '64Mi', cpu: '500m' } },
          },
        ],
      }),
      pod('talker', {
        containers: [
          { ...image, name: 'main', command: ['sh', '-c', talk] },
          { ...image, name: 'side', command: ['sleep', '1000'] },
        ],
      }),
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
      },
    );
    await ready('web');
    await ready('talker');
    t.match(await read('web', '.status.containerStatuses[0].containerID'), /^containerd:\/\/[0-9a-f]{64}$/);
    t.match(await read('web', '.status.podIP'), /^10\.244\./);
    const range = await kubectl('get', 'node', cluster.nodeName, '-o', 'jsonpath={.spec.podCIDR}');
    const written = readFileSync(join(containerd.confDirectory, '10-wherry.conflist'), 'utf8');
    t.ok(written.includes(range), 'the network is the built-in one, with the range of the node');
  });

  await t.test('by address, by Service, by host port', patient, async (t) => {
    const fetch = async (host: string, port: number): Promise<string> => {
      const ask = `printf "GET / HTTP/1.0\\r\\n\\r\\n" | nc -w 5 ${host} ${port}`;
      return (
        (await kubectl('exec', 'talker', '-c', 'side', '--', 'sh', '-c', ask)).split('\r\n\r\n')[1] ?? ''
      );
    };
    const address = await read('web', '.status.podIP');
    // That it is ready says nothing of its server: it has no probe.
    await eventually('the page', 60, async () => (await fetch(address, 8080)) === 'hello\n');
    const service = await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');
    await eventually('the Service', 60, async () => (await fetch(service, 80)) === 'hello\n');
    t.equal((await runChecked('curl', ['-s', `http://${cluster.nodeIp}:18080/`])).stdout, 'hello\n');
  });

  await t.test('exec, logs, port-forward, attach, top', patient, async (t) => {
    t.match(await kubectl('exec', 'web', '--', 'hostname'), /^web\n$/);
    t.equal((await tryKubectl(['exec', 'web', '--', 'sh', '-c', 'exit 7'])).code, 7);
    const piped = await tryKubectl(
      ['exec', '-i', 'web', '--', 'sh', '-c', 'cat; echo end'],
      'through stdin ',
    );
    t.equal(piped.stdout, 'through stdin end\n');
    const large = await kubectl('exec', 'web', '--', 'head', '-c', '8000000', '/dev/zero');
    t.equal(large.length, 8_000_000, 'every byte arrives');
    await eventually('its lines', 60, async () =>
      /first\n[\s\S]*line 2\n[\s\S]*line 3\n/.test(await kubectl('logs', 'talker', '-c', 'main')),
    );
    t.match(
      await kubectl('logs', 'talker', '-c', 'main', '--tail=2', '--timestamps'),
      /^20\S+Z line \d+\n20\S+Z line \d+\n$/,
    );
    const follow = spawn('kubectl', [
      '--kubeconfig',
      cluster.kubeconfig,
      'logs',
      '-f',
      '--tail=1',
      'talker',
      '-c',
      'main',
    ]);
    let text = '';
    follow.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await eventually('lines as they come', 60, () => text.split('\n').length > 4);
    follow.kill();
    const forward = spawn('kubectl', [
      '--kubeconfig',
      cluster.kubeconfig,
      'port-forward',
      'web',
      '18081:8080',
    ]);
    await once(forward.stdout, 'data');
    t.equal((await runChecked('curl', ['-s', 'http://127.0.0.1:18081/'])).stdout, 'hello\n');
    forward.kill();
    await eventually('figures', 60, async () => /web +\d+m +\d+Mi/.test(await kubectl('top', 'pod', 'web')));
  });

  await t.test(
    'probes kill what takes too long, a container that fails is started again',
    patient,
    async (t) => {
      await apply(
        pod('probed', {
          containers: [
            {
              ...image,
              name: 'main',
              command: ['sleep', '1000'],
              readinessProbe: { exec: { command: ['sleep', '77'] }, periodSeconds: 1, timeoutSeconds: 1 },
            },
          ],
        }),
        pod('failing', {
          containers: [{ ...image, name: 'main', command: ['sh', '-c', 'sleep 1; exit 3'] }],
        }),
      );
      await eventually('a failed probe', 60, async () =>
        (await kubectl('get', 'events')).includes('Readiness probe failed'),
      );
      await eventually('no more than the one that runs', 60, async () => {
        const listed = await kubectl('exec', 'probed', '--', 'sh', '-c', 'ps | grep -c "sleep 7[7]" || true');
        return Number(listed) <= 1;
      });
      await eventually(
        'a restart',
        60,
        async () => Number(await read('failing', '.status.containerStatuses[0].restartCount')) >= 1,
      );
      t.equal(await read('failing', '.status.containerStatuses[0].lastState.terminated.exitCode'), '3');
      await kubectl('delete', 'pod', 'probed', 'failing', '--wait=true');
    },
  );

  await t.test('an agent that is killed finds its pods as they were', patient, async (t) => {
    const before = await read('talker', '.status.containerStatuses[*].containerID');
    await cluster.kill('agent');
    cluster.start('agent');
    await eventually('the agent to be back', 60, async () =>
      (await kubectl('exec', 'talker', '-c', 'side', '--', 'echo', 'here')).includes('here'),
    );
    t.equal(await read('talker', '.status.containerStatuses[*].containerID'), before);
    t.equal(await read('talker', '.status.containerStatuses[*].restartCount'), '0 0');
  });

  await t.test(
    'a containerd that is killed, and one that hangs, make the node NotReady and lose nothing',
    patient,
    async (t) => {
      const before = await read('talker', '.status.containerStatuses[*].containerID');
      await containerd.kill();
      await eventually('NotReady', 60, async () => (await readyOfNode()) === 'False');
      await containerd.start();
      await eventually('Ready', 60, async () => (await readyOfNode()) === 'True');
      await containerd.pause();
      await eventually('NotReady', 60, async () => (await readyOfNode()) === 'False');
      containerd.resume();
      await eventually('Ready', 60, async () => (await readyOfNode()) === 'True');
      t.equal(await read('talker', '.status.containerStatuses[*].containerID'), before);
      t.match(await kubectl('exec', 'talker', '-c', 'side', '--', 'echo', 'here'), /here/);
      await apply(pod('later', { containers: [{ ...image, name: 'main', command: ['sleep', '1000'] }] }));
      await ready('later');
    },
  );

  await t.test('what is deleted goes, and at the end nothing is left', patient, async (t) => {
    const begun = performance.now();
    await kubectl('delete', 'pod', 'web', 'talker', 'later', '--wait=true');
    t.ok(performance.now() - begun < 60_000);
    const logs = join(containerd.directory, 'log-files', 'pods');
    const addresses = join(cluster.dir, 'agent', 'cni', 'ipam', 'wherry');
    await eventually('no log, no address and no link', 60, async () => {
      const left = [
        ...(existsSync(logs) ? readdirSync(logs) : []),
        ...readdirSync(addresses).filter((name) => /^[\d.]+$/.test(name)),
        ...((await run('ip', ['-br', 'link', 'show', 'type', 'veth'])).stdout.match(/veth[0-9a-f]{8}/g) ??
          []),
      ];
      if (left.length > 0) throw new Error(left.join(' '));
      return true;
    });
    const { directory, confDirectory } = containerd;
    await cluster.stop();
    t.strictSame(readdirSync(confDirectory), [], 'the configuration of the network is gone');
    isDown.value = true;
    await containerd.destroy();
    t.notOk(readFileSync('/proc/self/mounts', 'utf8').includes(directory), 'no mount');
    t.notOk(existsSync(directory));
  });
});
