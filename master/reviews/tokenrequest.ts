/**
 * POST to `serviceaccounts/<name>/token`: a new token for a service account, bound to a pod, a Secret or a node if the
 * request says so. Called by the registry; nothing is stored. Agents are kept to
 * the tokens of their own pods by admission (NodeRestriction).
 */
import { badRequest, conflict, type FieldError, invalid } from '../../src/api/errors.js';
import { nodes, pods, secrets, serviceAccounts } from '../../src/api/kinds.js';
import type {
  AuthenticationTokenRequest,
  BoundObjectReference,
  KubeObject,
  Pod,
} from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { ifFound } from '../../src/client/found.js';
import { type Clock, toTime } from '../../src/host/clock.js';
import type { TokenIssuer } from '../auth/authn/issuer.js';
import type { ObjectClaim, TokenSubject } from '../auth/claims.js';
import { readAs } from '../registry/body.js';
import { invalidValue } from '../registry/validation/field.js';
import type { Action } from '../registry/virtual.js';

const type = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' };

const defaultSeconds = 3600;
const [leastSeconds, mostSeconds] = [600, 2 ** 32];

export interface TokenRequestOptions {
  issuer: Pick<TokenIssuer, 'issue' | 'audiences' | 'maxExpirationSeconds'>;
  client: Pick<Client, 'get'>;
  clock: Pick<Clock, 'now'>;
}

type Bound = NonNullable<TokenSubject['bound']>;

/** Rejects with `NotFound`, `Invalid`, `BadRequest`, `Conflict` (another uid). */
export function tokenRequestAction({ issuer, client, clock }: TokenRequestOptions): Action {
  return async ({ ref, body, context }) => {
    const request = readAs(type, body, context) as AuthenticationTokenRequest;
    const { audiences = [], boundObjectRef: reference } = request.spec ?? {};
    const wantedSeconds = request.spec?.expirationSeconds ?? defaultSeconds;
    check('', expirationErrors(wantedSeconds));
    const expirationSeconds = Math.min(wantedSeconds, issuer.maxExpirationSeconds ?? mostSeconds);
    if (expirationSeconds < wantedSeconds)
      context.warn(
        `requested expiration of ${wantedSeconds} seconds shortened to ${expirationSeconds} seconds`,
      );
    const account = await client.get(serviceAccounts, ref);
    check(ref.name, metadataErrors(request, account.metadata));
    const { bound, node } = reference
      ? await findBound(client, account.metadata, reference)
      : { bound: undefined, node: undefined };

    const wanted = audiences.length > 0 ? audiences : [...issuer.audiences];
    const now = clock.now();
    const token = await issuer.issue({
      serviceAccount: account.metadata,
      ...(bound && { bound }),
      ...(node && { node }),
      audiences: wanted,
      expirationSeconds,
    });
    return {
      kind: type.kind,
      apiVersion: `${type.group}/${type.version}`,
      metadata: {
        ...request.metadata,
        name: account.metadata.name,
        namespace: account.metadata.namespace,
        creationTimestamp: toTime(now),
      },
      spec: {
        audiences: wanted,
        expirationSeconds,
        boundObjectRef: reference ? { ...reference, uid: bound?.metadata.uid } : null,
      },
      status: { token, expirationTimestamp: toTime(new Date(now.getTime() + expirationSeconds * 1000)) },
    };
  };
}

function check(name: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid({ group: type.group, kind: type.kind, name }, errors);
}

function expirationErrors(seconds: number): FieldError[] {
  const field = 'spec.expirationSeconds';
  if (seconds < leastSeconds)
    return [invalidValue(field, seconds, 'may not specify a duration less than 10 minutes')];
  if (seconds > mostSeconds)
    return [invalidValue(field, seconds, 'may not specify a duration larger than 2^32 seconds')];
  return [];
}

function metadataErrors({ metadata }: KubeObject, account: KubeObject['metadata']): FieldError[] {
  const { name, namespace } = metadata;
  if (name && name !== account.name)
    return [invalidValue('metadata.name', name, 'must match the service account name')];
  if (namespace && namespace !== account.namespace)
    return [invalidValue('metadata.namespace', namespace, 'must match the service account namespace')];
  return [];
}

async function findBound(
  client: Pick<Client, 'get'>,
  account: KubeObject['metadata'],
  reference: BoundObjectReference,
): Promise<{ bound: Bound; node: ObjectClaim | undefined }> {
  const { kind = '', apiVersion = '', name = '', uid } = reference;
  const ref = { namespace: account.namespace, name };
  const isCore = apiVersion === 'v1' || apiVersion === '';
  let bound: Bound;
  let node: ObjectClaim | undefined;
  if (isCore && kind === 'Pod') {
    const pod = await client.get(pods, ref);
    if ((pod.spec?.serviceAccountName || 'default') !== account.name)
      throw badRequest(
        `cannot bind token for serviceaccount ${JSON.stringify(account.name)} to pod running with different serviceaccount name.`,
      );
    bound = { kind, metadata: pod.metadata };
    node = await nodeClaim(client, pod);
  } else if (isCore && kind === 'Secret')
    bound = { kind, metadata: (await client.get(secrets, ref)).metadata };
  else if (isCore && kind === 'Node') {
    bound = { kind, metadata: (await client.get(nodes, { name })).metadata };
  } else {
    const slash = apiVersion.indexOf('/');
    const [group, version] =
      slash < 0 ? ['', apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)];
    throw badRequest(`cannot bind token to object of type ${group}/${version}, Kind=${kind}`);
  }
  if (uid && uid !== bound.metadata.uid)
    throw conflict(
      { group: '', resource: kind, name },
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  return { bound, node };
}

/** A pod without a node has none to tell; of a node that is gone only the name is left. */
async function nodeClaim(client: Pick<Client, 'get'>, { spec }: Pod): Promise<ObjectClaim | undefined> {
  const name = spec?.nodeName;
  if (!name) return undefined;
  const node = await ifFound(client.get(nodes, { name }));
  return { name, uid: node?.metadata.uid ?? '' };
}
