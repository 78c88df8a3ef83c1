/** Pods on containerd have what their specs say, see `testing/configcontract.ts`. Needs containerd and CNI plugins. */
import t from 'tap';
import { silentLogger } from '../../src/host/log.js';
import { CriRuntime } from '../runtime/cri/cri.js';
import { startContainerd, testImage } from '../runtime/cri/testing.js';
import { configContract } from './testing/configcontract.js';

const { WHERRY_CONTAINERD: binaries } = process.env;
const containerd = await startContainerd({ bridge: 'wherrycri1', ...(binaries && { binaries }) });
const image = await testImage(containerd.socketPath);
t.teardown(() => containerd.destroy());

await configContract(t, async (node) => {
  const { socketPath, logRoot } = containerd;
  const runtime = new CriRuntime({ socketPath, node, log: silentLogger, oomScoreFloor: 0, logRoot });
  await runtime.ensureSandboxImage();
  return {
    runtime,
    image,
    close: async () => {
      for (const { id } of await runtime.listSandboxes()) {
        await runtime.stopSandbox(id);
        await runtime.removeSandbox(id);
      }
      await runtime.close();
    },
  };
});
