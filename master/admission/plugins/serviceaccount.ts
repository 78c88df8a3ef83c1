/**
 * 2. ServiceAccount: every new pod runs as an account that exists, gets its pull secrets, and finds a token of it, the
 * authority of the API and its namespace below `/var/run/secrets/kubernetes.io/serviceaccount`. Mirror pods stay as the
 * node sent them. An account with the annotation `kubernetes.io/enforce-mountable-secrets` lets its pods use no other
 * Secrets than it lists.
 */
import { randomInt } from 'node:crypto';
import { pods, serviceAccounts } from '../../../src/api/kinds.js';
import { keyOfRef, type ObjectRef } from '../../../src/api/meta.js';
import type { Container, Pod, PodSpec, ServiceAccount, Volume } from '../../../src/api/types.js';
import type { Informer } from '../../../src/client/informer.js';
import { deferred } from '../../../src/client/wait.js';
import type { Clock } from '../../../src/host/clock.js';
import type { Admission, AdmissionRequest } from '../../registry/admission.js';
import { nameSuffix } from '../../registry/create.js';
import { isMirrorPod } from '../../registry/kinds/mirrorpod.js';
import type { PluginDeps } from '../plugin.js';
import { createLookup, isOf } from './lookup.js';
import { forbiddenSecret } from './mountablesecrets.js';
import { refused } from './refusal.js';

const defaultAccount = 'default';
/** A namespace has its `default` account a moment after itself. */
const defaultAccountWaitMs = 1_500;
const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const volumePrefix = 'kube-api-access-';
/** An hour and seven seconds: by this odd number Kubernetes knows the tokens that it mounted itself. */
const tokenSeconds = 3607;

export function createServiceAccount(deps: PluginDeps): Admission {
  const accounts = deps.informers.get(serviceAccounts);
  const lookUp = createLookup(deps, serviceAccounts, accounts);

  async function find(request: AdmissionRequest, name: string): Promise<ServiceAccount> {
    const { namespace = '' } = request;
    const ref = { namespace, name };
    const found = await lookUp(ref);
    const isComing = !found && name === defaultAccount;
    const account = isComing ? await appearing(accounts, ref, deps.clock) : found;
    if (account) return account;
    const missing = `serviceaccount ${JSON.stringify(name)} not found`;
    throw refused(request, `error looking up service account ${namespace}/${name}: ${missing}`);
  }

  return {
    concerns: (resource, operation, subresource) =>
      isOf(resource, pods) && (subresource === '' ? operation === 'CREATE' : isDebug(operation, subresource)),
    async mutate(request) {
      const pod = request.object as Pod;
      if (request.subresource !== '' || isMirrorPod(pod) || !pod.spec) return pod;
      const account = await find(request, accountOf(pod.spec));
      return { ...pod, spec: withAccount(pod.spec, account) };
    },
    async validate(request) {
      const pod = request.object as Pod;
      if (isMirrorPod(pod) || !pod.spec) return;
      const account = await find(request, accountOf(pod.spec));
      const why = forbiddenSecret(pod.spec, account, request.subresource !== '');
      if (why) throw refused(request, why);
    },
  };
}

const isDebug = (operation: string, subresource: string): boolean =>
  operation === 'UPDATE' && subresource === 'ephemeralcontainers';

const accountOf = ({ serviceAccountName, serviceAccount }: PodSpec): string =>
  serviceAccountName || serviceAccount || defaultAccount;

function appearing(
  accounts: Informer<ServiceAccount>,
  ref: ObjectRef,
  clock: Clock,
): Promise<ServiceAccount | undefined> {
  const { promise, resolve } = deferred<ServiceAccount | undefined>();
  const wanted = keyOfRef(ref);
  const unsubscribe = accounts.onChange(({ key, current }) => {
    if (key === wanted && current) resolve(current);
  });
  const cancel = clock.after(defaultAccountWaitMs, () => resolve(undefined));
  return promise.finally(() => {
    unsubscribe();
    cancel();
  });
}

function withAccount(spec: PodSpec, account: ServiceAccount): PodSpec {
  const name = account.metadata.name ?? '';
  const pullSecrets = spec.imagePullSecrets?.length ? spec.imagePullSecrets : account.imagePullSecrets;
  const named: PodSpec = { ...spec, serviceAccountName: name, serviceAccount: name };
  if (pullSecrets) named.imagePullSecrets = pullSecrets;
  // What the pod says wins over its account, which wins over yes.
  const isMounted = spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
  return isMounted ? withToken(named) : named;
}

/** Containers that have something at the path already keep it. */
function withToken(spec: PodSpec): PodSpec {
  const { containers, initContainers, volumes = [] } = spec;
  const existing = volumes.find((volume) => volume.name?.startsWith(volumePrefix));
  const all = [...containers, ...(initContainers ?? [])];
  if (all.every(hasMount)) return spec;
  const volume = existing ?? accessVolume();
  const mounted = (container: Container): Container => {
    if (hasMount(container)) return container;
    const mount = { name: volume.name, readOnly: true, mountPath };
    return { ...container, volumeMounts: [...(container.volumeMounts ?? []), mount] };
  };
  return {
    ...spec,
    containers: containers.map(mounted),
    ...(initContainers && { initContainers: initContainers.map(mounted) }),
    volumes: existing ? volumes : [...volumes, volume],
  };
}

const hasMount = ({ volumeMounts = [] }: Container): boolean =>
  volumeMounts.some((mount) => mount.mountPath === mountPath);

const accessVolume = (): Volume & { name: string } => ({
  name: `${volumePrefix}${nameSuffix(() => randomInt(2 ** 32) / 2 ** 32)}`,
  projected: {
    defaultMode: 0o644,
    sources: [
      { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ],
  },
});
