/** containerd through CRI passes the contract, and what is special to it. Needs containerd, CNI plugins, busybox-static. */
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { silentLogger } from '../../../src/host/log.js';
import { runtimeContract } from '../contract.js';
import { CriRuntime } from './cri.js';
import { startContainerd, testImage } from './testing.js';

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

const { WHERRY_CONTAINERD: binaries } = process.env;
const containerd = await startContainerd({ bridge: 'wherrycri0', ...(binaries && { binaries }) });
const runtime = new CriRuntime({
  socketPath: containerd.socketPath,
  node: unique,
  log: silentLogger,
  oomScoreFloor: 0,
  logRoot: containerd.logRoot,
});
const image = await testImage(containerd.socketPath);
t.teardown(async () => {
  await runtime.close();
  await containerd.destroy();
});

t.test('contract', async (t) => runtimeContract(t, { runtime, image, commands, unique }));
