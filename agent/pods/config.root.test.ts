/** Pods on Docker have what their specs say, see `testing/configcontract.ts`. */
import t from 'tap';
import { silentLogger } from '../../src/host/log.js';
import { DockerRuntime } from '../runtime/docker.js';
import { removeLeftovers, testImage, testSocket } from '../runtime/docker-testing.js';
import { configContract } from './testing/configcontract.js';

await configContract(t, async (node) => {
  const runtime = new DockerRuntime({ socketPath: testSocket, node, log: silentLogger, oomScoreFloor: 0 });
  return {
    runtime,
    image: await testImage(),
    close: async () => {
      await removeLeftovers(node);
      runtime.close();
    },
  };
});
