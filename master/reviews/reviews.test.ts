/** Reviews and token requests through the registry, with the server's own authenticator and authorizer. */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { importPKCS8, jwtVerify, SignJWT } from 'jose';
import t from 'tap';
import { isReason } from '../../src/api/errors.js';
import { nodes, pods, secrets, serviceAccounts } from '../../src/api/kinds.js';
import type { AuthenticationTokenRequest, KubeObject } from '../../src/api/types.js';
import { createKey } from '../../src/host/x509.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createAuthenticator } from '../auth/authn/authenticator.js';
import { createTokenIssuer, defaultIssuer } from '../auth/authn/issuer.js';
import { keySetOf, readSigningKey } from '../auth/authn/keys.js';
import { createAuthorizer } from '../auth/authorizer.js';
import { createTestGraph, createTestRoles } from '../auth/testing.js';
import { createRegistryClient } from '../registry/client.js';
import type { User } from '../registry/registry.js';
import { contextOf, createTestRegistry } from '../registry/testing.js';
import type { Action, Virtual } from '../registry/virtual.js';
import { createReviews } from './reviews.js';

const clock = createFakeClock('2026-03-01T12:00:00.000Z');
const key = await createKey();
const virtuals = new Map<string, Virtual>();
const actions = new Map<string, Action>();
const { registry, rowOf } = await createTestRegistry({ clock, virtuals, actions });
const client = createRegistryClient(registry, { name: 'test', groups: ['system:masters'] });
const keys = keySetOf(readSigningKey(key), []);
const issuer = createTokenIssuer({ keys: () => keys, address: 'api.example:6443', clock });
const authenticator = createAuthenticator({ adminToken: 'root', client, clock, issuer });
const authorizer = createAuthorizer({ graph: createTestGraph(), rbac: createTestRoles() });
const reviews = createReviews({ authenticator, authorizer, issuer, client, clock });
for (const [name, virtual] of reviews.virtuals) virtuals.set(name, virtual);
for (const [name, action] of reviews.actions) actions.set(name, action);

const admin: User = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };
const joe: User = { name: 'joe', groups: ['system:authenticated'], extra: { 'example.com/team': ['a'] } };
const agent: User = { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] };
const spec = { containers: [{ name: 'main', image: 'busy:1' }], serviceAccountName: 'robot' };

await client.create(nodes, { metadata: { name: 'n1' } });
const robot = await client.create(serviceAccounts, { metadata: { namespace: 'default', name: 'robot' } });
await client.create(serviceAccounts, { metadata: { namespace: 'default', name: 'default' } });
const bound = await client.create(pods, {
  metadata: { namespace: 'default', name: 'web' },
  spec: { ...spec, nodeName: 'n1' },
});
await client.create(pods, {
  metadata: { namespace: 'default', name: 'plain' },
  spec: { ...spec, serviceAccountName: 'default' },
});
const secret = await client.create(secrets, { metadata: { namespace: 'default', name: 'cookie' } });

async function review<T = Record<string, unknown>>(
  kind: string,
  body: object,
  { user = joe, namespace }: { user?: User; namespace?: string } = {},
): Promise<T> {
  const row = rowOf(`${kind.toLowerCase()}s`);
  const { object } = await registry.create(row, namespace, { kind, ...body }, contextOf({ user }));
  return object as KubeObject & T;
}

type Answered = AuthenticationTokenRequest & { status: { token?: string } };

async function ask(request: object, { user = admin, account = 'robot' } = {}): Promise<Answered> {
  const ref = { namespace: 'default', name: account };
  const body = { spec: request };
  return (await registry.post(rowOf('serviceaccounts'), ref, 'token', body, contextOf({ user }))) as Answered;
}

const tokenOf = async (request: object): Promise<string> => (await ask(request)).status.token ?? '';

async function refusal(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof Error ? error.message : 'not refused';
}

t.test('access reviews ask the authorizer', async (t) => {
  const pod = { verb: 'get', resource: 'pods', namespace: 'default' };
  const self = (attributes: object, user: User): Promise<object> =>
    review('SelfSubjectAccessReview', { spec: attributes }, { user });
  t.match(await self({ resourceAttributes: pod }, admin), {
    kind: 'SelfSubjectAccessReview',
    apiVersion: 'authorization.k8s.io/v1',
    spec: { resourceAttributes: pod },
    status: { allowed: true },
  });
  t.match(await self({ resourceAttributes: pod }, joe), { status: { allowed: false } });
  t.match(await self({ nonResourceAttributes: { verb: 'get', path: '/apis' } }, joe), {
    status: { allowed: true },
  });
  t.match(await self({ nonResourceAttributes: { verb: 'get', path: '/metrics' } }, joe), {
    status: { allowed: false },
  });
  const node = { user: 'system:node:n1', groups: ['system:nodes'] };
  const requirement = { key: 'spec.nodeName', operator: 'In', values: ['n1'] };
  for (const [fieldSelector, allowed] of [
    [{ requirements: [requirement] }, true],
    [{ rawSelector: 'status.phase=Running,spec.nodeName=n1' }, true],
    [{ requirements: [{ ...requirement, values: ['n2'] }] }, false],
    [{ requirements: [{ ...requirement, values: ['n2', 'n1'] }] }, false],
    [{ requirements: [{ ...requirement, operator: 'NotIn' }] }, false],
    [{ requirements: [{ ...requirement, values: ['n2,spec.nodeName=n1'] }] }, false],
    [undefined, false],
  ] as const) {
    const resourceAttributes = { resource: 'pods', verb: 'list', ...(fieldSelector && { fieldSelector }) };
    const answer = await review('SubjectAccessReview', { spec: { ...node, resourceAttributes } });
    t.match(answer, { status: { allowed } }, JSON.stringify(fieldSelector));
  }
  const local = { spec: { user: 'x', resourceAttributes: pod } };
  t.match(await review('LocalSubjectAccessReview', local, { namespace: 'default' }), {
    metadata: { namespace: 'default' },
    status: { allowed: false },
  });
});

t.test('access reviews: what is wrong with them', async (t) => {
  const bad = async (kind: string, body: object, namespace?: string): Promise<string> =>
    refusal(review(kind, body, namespace === undefined ? {} : { namespace }));
  const resourceAttributes = { verb: 'get', resource: 'pods' };
  const both = { resourceAttributes, nonResourceAttributes: { path: '/' } };
  t.match(
    await bad('SelfSubjectAccessReview', {}),
    /^SelfSubjectAccessReview.authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: null: exactly one of/,
  );
  t.match(await bad('SelfSubjectAccessReview', { spec: both }), /cannot be specified in combination with/);
  t.match(
    await bad('SelfSubjectAccessReview', { metadata: { name: 'x' }, spec: { resourceAttributes } }),
    /metadata: Invalid value: {"name":"x"}: must be empty/,
  );
  const selecting = { ...resourceAttributes, fieldSelector: {} };
  t.match(
    await bad('SelfSubjectAccessReview', { spec: { resourceAttributes: selecting } }),
    /fieldSelector.requirements: Required value: when/,
  );
  t.match(
    await bad('SubjectAccessReview', { spec: { resourceAttributes } }),
    /at least one of user or group/,
  );
  const local = { spec: { user: 'x', resourceAttributes: { ...resourceAttributes, namespace: 'other' } } };
  t.match(await bad('LocalSubjectAccessReview', local, 'default'), /must match metadata.namespace/);
  t.equal(await bad('SelfSubjectRulesReview', { spec: {} }), 'no namespace on request');
  t.match(await bad('TokenReview', {}), /token is required/);
});

t.test('rules', async (t) => {
  const rules = async (user: User): Promise<object> =>
    (await review('SelfSubjectRulesReview', { spec: { namespace: 'default' } }, { user }))[
      'status'
    ] as object;
  t.strictSame(await rules(admin), {
    resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
    nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
    incomplete: false,
  });
  t.match(await rules(joe), {
    resourceRules: [{ verbs: ['create'], apiGroups: ['authorization.k8s.io'] }, {}],
    incomplete: false,
  });
  t.match(await rules(agent), { incomplete: true, evaluationError: /node authorizer does not support/ });
});

t.test('who am I', async (t) => {
  t.same(await review('SelfSubjectReview', {}), {
    kind: 'SelfSubjectReview',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { creationTimestamp: '2026-03-01T12:00:00Z', namespace: undefined },
    status: {
      userInfo: { username: 'joe', groups: ['system:authenticated'], extra: { 'example.com/team': ['a'] } },
    },
  });
});

t.test('a token: what it says, who it is', async (t) => {
  const answer = await ask({ expirationSeconds: 600, boundObjectRef: { kind: 'Pod', name: 'web' } });
  t.match(answer, {
    kind: 'TokenRequest',
    metadata: { name: 'robot', namespace: 'default' },
    spec: { audiences: [defaultIssuer], expirationSeconds: 600, boundObjectRef: { uid: bound.metadata.uid } },
    status: { expirationTimestamp: '2026-03-01T12:10:00Z' },
  });
  const token = answer.status.token ?? '';
  const publicKey = createPublicKey(createPrivateKey(key));
  const { payload, protectedHeader } = await jwtVerify(token, publicKey, { currentDate: clock.now() });
  const now = clock.now().getTime() / 1000;
  const { uid } = robot.metadata;
  t.match(payload, {
    ...{ iss: defaultIssuer, aud: [defaultIssuer], sub: 'system:serviceaccount:default:robot' },
    ...{ iat: now, nbf: now, exp: now + 600, jti: /^[\da-f-]{36}$/ },
    'kubernetes.io': {
      namespace: 'default',
      serviceaccount: { name: 'robot', uid },
      pod: { name: 'web', uid: bound.metadata.uid },
      node: { name: 'n1' },
    },
  });
  const keys = JSON.parse(issuer.documents.get('/openid/v1/jwks')?.().body ?? '{}');
  t.match(keys, { keys: [{ kid: protectedHeader.kid, alg: 'ES256', use: 'sig', kty: 'EC' }] });
  t.notOk('d' in keys.keys[0], 'the private half stays here');
  t.match(JSON.parse(issuer.documents.get('/.well-known/openid-configuration')?.().body ?? '{}'), {
    issuer: defaultIssuer,
    jwks_uri: 'https://api.example:6443/openid/v1/jwks',
  });

  const user = await authenticator.authenticate({ bearerToken: token, certificate: undefined });
  t.strictSame(user, {
    name: 'system:serviceaccount:default:robot',
    uid,
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
    extra: {
      'authentication.kubernetes.io/credential-id': [`JTI=${payload.jti}`],
      'authentication.kubernetes.io/node-name': ['n1'],
      'authentication.kubernetes.io/node-uid': [(await client.get(nodes, { name: 'n1' })).metadata.uid ?? ''],
      'authentication.kubernetes.io/pod-name': ['web'],
      'authentication.kubernetes.io/pod-uid': [bound.metadata.uid ?? ''],
    },
  });
});

t.test('token requests: bounds and bonds', async (t) => {
  const bad = async (request: object, how?: { account?: string; user?: User }): Promise<string> =>
    refusal(ask(request, how));
  const web = { kind: 'Pod', apiVersion: 'v1', name: 'web', uid: bound.metadata.uid };
  t.match(await bad({ expirationSeconds: 599 }), /spec.expirationSeconds: .* less than 10 minutes/);
  t.match(await bad({ expirationSeconds: 2 ** 32 + 1 }), /larger than 2\^32 seconds/);
  t.equal(await bad({}, { account: 'nobody' }), 'serviceaccounts "nobody" not found');
  t.equal(await bad({ boundObjectRef: { kind: 'Pod', name: 'gone' } }), 'pods "gone" not found');
  t.match(
    await bad({ boundObjectRef: { ...web, uid: 'other' } }),
    /UID in the bound object reference \(other\)/,
  );
  t.match(await bad({ boundObjectRef: { ...web, name: 'plain' } }), /different serviceaccount name/);
  t.equal(
    await bad({ boundObjectRef: { kind: 'Deployment', apiVersion: 'apps/v1', name: 'x' } }),
    'cannot bind token to object of type apps/v1, Kind=Deployment',
  );
  t.match(await ask({ boundObjectRef: { kind: 'Node', name: 'n1' } }), { status: { token: /./ } });

  const own = { user: agent };
  const year = 365 * 24 * 3600;
  const kept = await ask({ expirationSeconds: 3607, boundObjectRef: web }, own);
  const claims = await issuer.verify(kept.status.token ?? '');
  t.equal(claims && claims.exp - claims.iat, year, 'tokens of pods live on');
  t.equal(claims?.['kubernetes.io'].warnafter, (claims?.iat ?? 0) + 3607);
});

t.test('token reviews: audiences', async (t) => {
  const ofApi = await tokenOf({});
  const vault = await tokenOf({ audiences: ['vault', 'other'] });
  const status = async (token: string, audiences?: string[]): Promise<object> =>
    (await review('TokenReview', { spec: { token, ...(audiences && { audiences }) } }))['status'] as object;
  t.match(await status(ofApi), {
    authenticated: true,
    user: { username: 'system:serviceaccount:default:robot', uid: robot.metadata.uid },
    audiences: [defaultIssuer],
  });
  const unknown = { user: {}, error: 'invalid bearer token' };
  t.strictSame(await status(ofApi, ['vault']), unknown);
  t.match(await status(vault, ['vault', 'third']), { authenticated: true, audiences: ['vault'] });
  t.strictSame(await status(vault), unknown);
  t.equal(await authenticator.authenticate({ bearerToken: vault, certificate: undefined }), undefined);
  t.match(await status('root'), { authenticated: true, user: { username: 'kubernetes-admin' } });
  t.strictSame(await status('root', ['vault']), unknown);
  t.strictSame(await status('nonsense'), unknown);
});

t.test('a token ends: by time, forged, and with what it is bound to', async (t) => {
  const known = async (token: string): Promise<boolean> =>
    (await authenticator.authenticateToken(token)) !== undefined;
  const claims = await issuer.verify(await tokenOf({}));
  for (const [algorithm, signer] of [
    ['ES256', await importPKCS8(await createKey(), 'ES256')],
    ['HS256', Buffer.from(key)],
  ] as const) {
    const forged = await new SignJWT({ ...claims }).setProtectedHeader({ alg: algorithm }).sign(signer);
    t.notOk(await known(forged), `forged with ${algorithm}`);
  }
  const own = await importPKCS8(key, 'ES256');
  const odd = await new SignJWT({ ...claims, sub: 'admin' }).setProtectedHeader({ alg: 'ES256' }).sign(own);
  t.notOk(await known(odd), 'no service account');

  const short = await tokenOf({ expirationSeconds: 600 });
  const ofPod = await tokenOf({ boundObjectRef: { kind: 'Pod', name: 'web' } });
  const ofSecret = await tokenOf({ boundObjectRef: { kind: 'Secret', name: 'cookie' } });
  const long = await tokenOf({});
  for (const token of [short, ofPod, ofSecret, long]) t.ok(await known(token));
  await clock.advance(601_000);
  t.notOk(await known(short), 'remembered, and over');
  t.ok(await known(ofPod));
  await client.delete(pods, { namespace: 'default', name: 'web' }, { gracePeriodSeconds: 0 });
  t.notOk(await known(ofPod));
  await client.delete(secrets, { namespace: 'default', name: 'cookie' });
  await client.create(secrets, { metadata: { namespace: 'default', name: 'cookie' } });
  t.notOk(await known(ofSecret), `another uid than ${secret.metadata.uid}`);
  await client.delete(serviceAccounts, { namespace: 'default', name: 'robot' });
  t.notOk(await known(long));
  t.ok(isReason(await ask({}).catch((error: unknown) => error), 'NotFound'));
});
