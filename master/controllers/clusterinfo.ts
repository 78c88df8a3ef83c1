/**
 * 5. The ConfigMap `cluster-info` in kube-public, as kubeadm makes it: where the API is and which authorities to trust. Nodes
 * and joining hosts may read it; agents follow it while one authority takes over from another.
 */
import { isReason } from '../../src/api/errors.js';
import { configMaps } from '../../src/api/kinds.js';
import type { ConfigMap } from '../../src/api/types.js';
import { clusterInfo } from '../../src/client/clusterinfo.js';
import { type Controller, createController, on, type Trigger } from '../../src/client/controller.js';
import { buildKubeconfig } from '../../src/client/kubeconfig.js';
import { isSameJson } from '../registry/codec.js';
import type { ControllerContext } from './context.js';

export interface ClusterInfoOptions {
  /** `https://host:port`, as others reach it now. */
  server(): string;
  /** PEM of every authority that is trusted, first the one that signs. */
  caPem(): string;
  /** The same of those for the serving certificates of agents. */
  kubeletServingCaPem(): string;
  onCaChange?: ((listener: () => void) => () => void) | undefined;
}

export function createClusterInfoController(
  { client, clock, log, informers }: ControllerContext,
  { server, caPem, kubeletServingCaPem, onCaChange }: ClusterInfoOptions,
): Controller {
  const { namespace, name, authorities, servingAuthorities } = clusterInfo;
  const cache = informers.get(configMaps, { namespace, fieldSelector: `metadata.name=${name}` });
  const ours: Trigger = {
    whenSynced: () => Promise.resolve(),
    subscribe(enqueue) {
      enqueue(name);
      return onCaChange?.(() => enqueue(name)) ?? (() => undefined);
    },
  };

  async function reconcile(): Promise<undefined> {
    const ca = caPem();
    const access = { server: server(), ca };
    const found = cache.get({ namespace, name });
    const data = {
      ...found?.data,
      [authorities]: ca,
      [servingAuthorities]: kubeletServingCaPem(),
      kubeconfig: buildKubeconfig(access, { cluster: 'wherry', user: 'nobody' }),
    };
    if (isSameJson(found?.data, data)) return;
    const wanted: ConfigMap = { ...found, metadata: found?.metadata ?? { namespace, name }, data };
    if (found) await client.update(configMaps, wanted);
    else await client.create(configMaps, wanted).catch(ignoreExisting);
  }

  return createController({
    name: 'cluster-info',
    reconciler: { reconcile },
    sources: [on(cache, () => [name]), ours],
    clock,
    log,
  });
}

function ignoreExisting(error: unknown): void {
  if (!isReason(error, 'AlreadyExists')) throw error;
}
