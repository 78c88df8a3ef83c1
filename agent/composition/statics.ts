/**
 * Static pods: their files, if this node has any, and the objects in the API that stand for them.
 */
import { nodes } from '../../src/api/kinds.js';
import type { Client } from '../../src/client/client.js';
import { createMirrors } from '../static/mirrors.js';
import { type Base, inBackground } from './base.js';
import type { Caches } from './caches.js';

export async function startStatics(base: Base, client: Client, caches: Caches): Promise<void> {
  const { options, clock, log, start } = base;
  const { nodeName, podManifestPath } = options;
  const { ownPods, assignedPods, ownNode, recorder } = caches;
  if (podManifestPath !== undefined) {
    // YAML and the schema are loaded by those who need them.
    const { createManifestFiles } = await import('../static/files.js');
    const onProblem = (problem: string): void => {
      const node = ownNode() ?? { metadata: { name: nodeName } };
      const object = { ...node, apiVersion: nodes.version, kind: nodes.kind };
      recorder.event(object, 'Warning', 'InvalidStaticPod', problem);
    };
    const { setStatic } = ownPods;
    await start(
      createManifestFiles({ path: podManifestPath, nodeName, clock, log, onPods: setStatic, onProblem }),
    );
  }
  const mirrors = { client, nodePods: ownPods, assigned: assignedPods, nodes: caches.nodes };
  // Also without files: what an earlier configuration left in the API has to go.
  await start(inBackground(createMirrors({ ...mirrors, nodeName, clock, log }), log));
}
