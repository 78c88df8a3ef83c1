/**
 * 5. What every namespace has from the start: the ServiceAccount `default`, and the ConfigMap `kube-root-ca.crt` by
 * which pods trust the API server. Removed or changed by somebody, they come back.
 */
import { isReason } from '../../src/api/errors.js';
import { configMaps, namespaces, serviceAccounts } from '../../src/api/kinds.js';
import type { ConfigMap, KubeObject, Namespace, ObjectMeta, ServiceAccount } from '../../src/api/types.js';
import type { Change } from '../../src/client/cache.js';
import { type Controller, createController, on, type Trigger } from '../../src/client/controller.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import type { ControllerContext } from './context.js';

const defaultAccount = 'default';
const rootCa = 'kube-root-ca.crt';

/** Whether the namespace takes new content. */
const isOpen = (namespace: Namespace | undefined): boolean =>
  namespace !== undefined &&
  !namespace.metadata.deletionTimestamp &&
  namespace.status?.phase !== 'Terminating';

/** The namespace of an object of this name that changed or went. */
const namespaceOf =
  (name: string) =>
  <T extends KubeObject>({ old, current }: Change<T>): string[] => {
    const metadata: ObjectMeta = (current ?? old)?.metadata ?? {};
    return metadata.name === name && metadata.namespace && old ? [metadata.namespace] : [];
  };

/** The namespace ended between our look and our write, or somebody else wrote the same: both are fine. */
async function create(call: Promise<unknown>): Promise<ReconcileResult> {
  try {
    await call;
  } catch (error) {
    if (!isReason(error, 'AlreadyExists', 'NotFound', 'Forbidden')) throw error;
  }
  return undefined;
}

export function createServiceAccountController({
  client,
  clock,
  log,
  informers,
}: ControllerContext): Controller {
  const cache = informers.get(namespaces);
  const accounts = informers.get(serviceAccounts);
  async function reconcile(namespace: string): Promise<ReconcileResult> {
    const ref = { namespace, name: defaultAccount };
    if (!isOpen(cache.getByKey(namespace)) || accounts.get(ref)) return undefined;
    const account: ServiceAccount = { metadata: ref };
    return create(client.create(serviceAccounts, account));
  }
  return createController({
    name: 'serviceaccount',
    reconciler: { reconcile },
    sources: [on(cache), on(accounts, namespaceOf(defaultAccount))],
    workers: 4,
    clock,
    log,
  });
}

export interface RootCaOptions {
  /** PEM of every authority that is trusted. */
  caPem(): string;
  onCaChange?(listener: () => void): () => void;
}

export function createRootCaController(context: ControllerContext, options: RootCaOptions): Controller {
  const { client, clock, log, informers } = context;
  const cache = informers.get(namespaces);
  const maps = informers.get(configMaps);
  async function reconcile(namespace: string): Promise<ReconcileResult> {
    const ref = { namespace, name: rootCa };
    if (!isOpen(cache.getByKey(namespace))) return undefined;
    const existing = maps.get(ref);
    const caPem = options.caPem();
    if (existing?.data?.['ca.crt'] === caPem) return undefined;
    const annotations = { 'kubernetes.io/description': 'The authority to verify the API server with.' };
    const wanted: ConfigMap = {
      ...existing,
      metadata: existing?.metadata ?? { ...ref, annotations },
      data: { 'ca.crt': caPem },
    };
    if (!existing) return create(client.create(configMaps, wanted));
    await client.update(configMaps, wanted);
    return undefined;
  }
  const authorityChanges: Trigger = {
    whenSynced: () => Promise.resolve(),
    subscribe: (enqueue) =>
      options.onCaChange?.(() => {
        for (const { metadata } of cache.list()) enqueue(metadata.name ?? '');
      }) ?? (() => undefined),
  };
  return createController({
    name: 'rootca',
    reconciler: { reconcile },
    sources: [on(cache), on(maps, namespaceOf(rootCa)), authorityChanges],
    workers: 4,
    clock,
    log,
  });
}
