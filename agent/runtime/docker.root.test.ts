/** Docker passes the contract. Needs a Docker daemon and Debian's busybox-static for the image of the tests. */
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { silentLogger } from '../../src/host/log.js';
import { runtimeContract } from './contract.js';
import { DockerRuntime } from './docker.js';
import { removeLeftovers, testImage, testSocket } from './docker-testing.js';

const unique = `t${randomUUID().slice(0, 8)}`;
const shell = (script: string): readonly string[] => ['/bin/sh', '-c', script];
const commands = {
  serve: shell('trap "exit 0" TERM; while :; do sleep 0.05; done'),
  listens: shell(
    'until /bin/busybox grep -q "^SigCgt:.*[4-7c-f]...$" /proc/1/status; do /bin/busybox sleep 0.05; done',
  ),
  stubborn: shell('trap "" TERM; while :; do sleep 1; done'),
  exit3: shell('exit 3'),
  speak: shell('echo words; echo oops >&2'),
  cat: ['/bin/cat'],
  env: ['/bin/env'],
};

const runtime = new DockerRuntime({
  socketPath: testSocket,
  node: unique,
  log: silentLogger,
  oomScoreFloor: 0,
});
const image = await testImage();
t.teardown(async () => {
  await removeLeftovers(unique);
  runtime.close();
});

t.test('contract', async (t) => runtimeContract(t, { runtime, image, commands, unique }));
