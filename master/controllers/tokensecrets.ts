/**
 * 5. Secrets of type kubernetes.io/service-account-token: `token`, `ca.crt` and `namespace` are filled in for the service
 * account that the annotation kubernetes.io/service-account.name names, and the Secret goes with its account. Tokens of
 * this kind never expire; they are for those who ask for one by making such a Secret. An account whose `secrets` name
 * such a Secret forgets it when it is deleted. Keys are `namespace/name`, and `namespace/name/account/uid` of one that went.
 */
import { isReason } from '../../src/api/errors.js';
import { secrets, serviceAccounts } from '../../src/api/kinds.js';
import type { ObjectRef } from '../../src/api/meta.js';
import type { Secret, ServiceAccount } from '../../src/api/types.js';
import type { Change } from '../../src/client/cache.js';
import { type Controller, createController, on, type Trigger } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { TokenIssuer } from '../auth/authn/issuer.js';
import { tokenSecretType } from '../auth/authn/legacytoken.js';
import type { ControllerContext } from './context.js';

export interface TokenSecretsOptions {
  issueToken: TokenIssuer['issueLegacy'];
  /** PEM of every authority that is trusted. */
  caPem(): string;
  onCaChange?: ((listener: () => void) => () => void) | undefined;
}

export const accountAnnotation = 'kubernetes.io/service-account.name';
const uidAnnotation = 'kubernetes.io/service-account.uid';

const accountOf = ({ metadata }: Secret): string => metadata.annotations?.[accountAnnotation] ?? '';

const uidOf = ({ metadata }: Secret): string => metadata.annotations?.[uidAnnotation] ?? '';

const keyOf = ({ metadata: { namespace, name } }: Secret): string => `${namespace}/${name}`;

export type TokenSecretStep =
  | { do: 'nothing' }
  /** Its account is gone, or is another one of the same name. */
  | { do: 'delete' }
  | { do: 'fill'; needsToken: boolean };

/** Pure: what the Secret needs. */
export function planTokenSecret(
  { metadata, data }: Secret,
  account: ServiceAccount | undefined,
  caPem: string,
): TokenSecretStep {
  const uid = metadata.annotations?.[uidAnnotation];
  if (!account || account.metadata.deletionTimestamp || (uid && uid !== account.metadata.uid))
    return { do: 'delete' };
  const needsToken = !data?.['token'];
  const isWhole =
    !needsToken &&
    uid !== undefined &&
    data?.['ca.crt'] === base64(caPem) &&
    data['namespace'] === base64(metadata.namespace ?? '');
  return isWhole ? { do: 'nothing' } : { do: 'fill', needsToken };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

export function createTokenSecretsController(
  { client, clock, log, informers }: ControllerContext,
  options: TokenSecretsOptions,
): Controller {
  const cache = informers.get(secrets, { fieldSelector: `type=${tokenSecretType}` });
  const accounts = informers.get(serviceAccounts);

  /** Of the registry itself where the cache has none: the account may have been made a moment ago. */
  async function findAccount(namespace: string, name: string): Promise<ServiceAccount | undefined> {
    const ref = { namespace, name };
    return accounts.get(ref) ?? ifFound(client.get(serviceAccounts, ref));
  }

  async function fill(secret: Secret, account: ServiceAccount, needsToken: boolean): Promise<void> {
    const { namespace = '', name = '', annotations } = secret.metadata;
    const token = needsToken ? base64(await options.issueToken(account.metadata, name)) : undefined;
    await client.update(secrets, {
      ...secret,
      metadata: {
        ...secret.metadata,
        annotations: { ...annotations, [uidAnnotation]: account.metadata.uid ?? '' },
      },
      data: {
        ...secret.data,
        'ca.crt': base64(options.caPem()),
        namespace: base64(namespace),
        ...(token !== undefined && { token }),
      },
    });
  }

  /** Asks the registry: the account may name the Secret since a moment ago. A conflict is tried again. */
  async function forget(ref: ObjectRef, owner: ObjectRef, uid: string): Promise<void> {
    try {
      const account = await client.get(serviceAccounts, owner);
      const left = account.secrets?.filter(({ name }) => name !== ref.name) ?? [];
      const isNamed = left.length < (account.secrets?.length ?? 0);
      if (isNamed && (!uid || uid === account.metadata.uid))
        await client.update(serviceAccounts, { ...account, secrets: left });
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
    }
  }

  async function reconcile(key: string): Promise<undefined> {
    const [namespace = '', name = '', account, uid = ''] = key.split('/');
    const secret = cache.get({ namespace, name });
    if (account && !secret) await forget({ namespace, name }, { namespace, name: account }, uid);
    if (secret && !secret.metadata.deletionTimestamp) await reconcileSecret(secret);
  }

  async function reconcileSecret(secret: Secret): Promise<void> {
    const { namespace = '', name = '', uid, resourceVersion } = secret.metadata;
    const account = await findAccount(namespace, accountOf(secret));
    const step = planTokenSecret(secret, account, options.caPem());
    if (step.do === 'fill' && account) await fill(secret, account, step.needsToken);
    if (step.do !== 'delete') return;
    const preconditions = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
    await ifFound(client.delete(secrets, { namespace, name }, { preconditions }));
  }

  const secretsOf = ({ current, old }: Change<ServiceAccount>): string[] => {
    const { namespace, name } = (current ?? old)?.metadata ?? {};
    return cache
      .list(namespace)
      .filter((secret) => accountOf(secret) === name)
      .map(keyOf);
  };
  const keysOf = ({ key, old, current }: Change<Secret>): string[] =>
    current || !old ? [key] : [`${key}/${accountOf(old)}/${uidOf(old)}`];
  const authorityChanges: Trigger = {
    whenSynced: () => Promise.resolve(),
    subscribe: (enqueue) =>
      options.onCaChange?.(() => {
        for (const secret of cache.list()) enqueue(keyOf(secret));
      }) ?? (() => undefined),
  };
  return createController({
    name: 'serviceaccount-token',
    reconciler: { reconcile },
    sources: [on(cache, keysOf), on(accounts, secretsOf), authorityChanges],
    clock,
    log,
  });
}
