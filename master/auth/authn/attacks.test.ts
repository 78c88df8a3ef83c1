/** A whole master over HTTPS, and those who try to get in: who is who, and who is nobody. */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { type JWTPayload, SignJWT } from 'jose';
import t from 'tap';
import { nodes, pods, secrets, serviceAccounts } from '../../../src/api/kinds.js';
import type { AuthenticationTokenRequest, TokenReviewStatus, UserInfo } from '../../../src/api/types.js';
import { buildKubeconfig, loadKubeconfig } from '../../../src/client/kubeconfig.js';
import { createRestClient, type RestClient } from '../../../src/client/rest.js';
import { systemClock } from '../../../src/host/clock.js';
import { createKey, type KeyPair, x509 } from '../../../src/host/x509.js';
import { createMaster, type Master } from '../../main.js';
import { testOptions } from '../../testing.js';
import { type Authority, createAuthority, loadAuthority } from '../ca.js';
import { defaultIssuer } from './issuer.js';
import { readSigningKey, type SigningKey } from './keys.js';
import {
  createMemoryLog,
  createOutsideIssuer,
  createOutsideServer,
  type OutsideIssuer,
  type OutsideServer,
} from './testing.js';

interface World {
  master: Master;
  client: RestClient;
  ca: string;
  adminToken: string;
  authority: Authority;
  frontProxy: Authority;
  signer: SigningKey;
  outside: OutsideIssuer;
  webhook: OutsideServer;
  records: unknown[];
}

const seen = new Set<string>();
let world: World;

async function startWorld(directory: string): Promise<World> {
  const outside = await createOutsideIssuer();
  const webhook = await createOutsideServer((_path, body) => {
    const { token } = JSON.parse(body).spec;
    return token === 'of-webhook'
      ? { status: { authenticated: true, user: { username: 'hook', groups: ['dev'] } } }
      : { status: { authenticated: false } };
  });
  const file = (name: string): string => join(directory, name);
  await writeFile(file('oidc.crt'), outside.ca);
  const access = { server: `${webhook.url}/review`, ca: webhook.ca };
  await writeFile(file('webhook.yaml'), buildKubeconfig(access, { cluster: 'w', user: 'w' }));
  const options = await testOptions(directory, {
    advertiseAddress: '10.0.0.1',
    ...{ oidcIssuerUrl: outside.url, oidcClientId: 'kubernetes', oidcCaFile: file('oidc.crt') },
    ...{ oidcGroupsClaim: 'groups', oidcUsernamePrefix: 'out:' },
    authenticationTokenWebhookConfigFile: file('webhook.yaml'),
  });
  const { log, records } = createMemoryLog();
  const master = createMaster(options, { clock: systemClock, log });
  await master.start(new AbortController().signal);
  const kubeconfig = await loadKubeconfig(options.adminKubeconfig);
  const pem = (name: string): Promise<string> => readFile(file(`master/pki/${name}`), 'utf8');
  const authorityOf = async (name: string): Promise<Authority> =>
    loadAuthority({ cert: await pem(`${name}.crt`), key: await pem(`${name}.key`) });
  return {
    ...{ master, outside, webhook, records, ca: kubeconfig.ca ?? '', adminToken: kubeconfig.token ?? '' },
    client: createRestClient({ ...kubeconfig, server: master.url() }),
    authority: await authorityOf('ca'),
    frontProxy: await authorityOf('front-proxy-ca'),
    signer: readSigningKey(await pem('sa.key')),
  };
}

interface How {
  token?: string;
  pair?: KeyPair;
  headers?: Record<string, string | string[]>;
  body?: object;
}

interface Answer {
  code: number;
  body: { status?: { userInfo?: UserInfo } & TokenReviewStatus; message?: string };
}

function ask(path: string, { token, pair, headers, body }: How = {}): Promise<Answer> {
  if (token) seen.add(token);
  return new Promise((resolve, reject) => {
    const outgoing = request(`${world.master.url()}${path}`, {
      ...pair,
      ca: world.ca,
      agent: false,
      method: body ? 'POST' : 'GET',
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
    });
    outgoing.on('error', reject);
    outgoing.on('response', async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      resolve({ code: response.statusCode ?? 0, body: text.startsWith('{') ? JSON.parse(text) : {} });
    });
    outgoing.end(body && JSON.stringify(body));
  });
}

const codeOf = async (how: How): Promise<number> => (await ask('/api/v1/namespaces', how)).code;

async function whoami(how: How): Promise<UserInfo | number> {
  const { code, body } = await ask('/apis/authentication.k8s.io/v1/selfsubjectreviews', { ...how, body: {} });
  return body.status?.userInfo ?? code;
}

async function tokenOf(spec: object, name = 'robot'): Promise<string> {
  const ref = { namespace: 'default', name };
  const { status } = await world.client.post<AuthenticationTokenRequest>(serviceAccounts, ref, 'token', {
    spec,
  });
  return status?.token ?? '';
}

const issue = (authority: Authority, commonName: string, organizations: string[] = [], now = new Date()) =>
  authority.issueClient({ commonName, organizations }, now);

t.before(async () => {
  world = await startWorld(t.testdir());
  const { client } = world;
  await client.create(nodes, { metadata: { name: 'n1' } });
  await client.create(serviceAccounts, { metadata: { namespace: 'default', name: 'robot' } });
});
t.teardown(async () => {
  await world.client.close();
  await world.master.stop();
  await world.outside.close();
  await world.webhook.close();
});

t.test('tokens that are forged, over, for others', async (t) => {
  const { signer, adminToken } = world;
  const good = await tokenOf({});
  t.match(await whoami({ token: good }), { username: 'system:serviceaccount:default:robot' });
  t.equal(await codeOf({ token: good }), 403);
  t.equal(await codeOf({ token: adminToken }), 200);
  const [header = '', payload = ''] = good.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as JWTPayload;
  const seconds = Math.floor(Date.now() / 1000);
  const sign = (
    more: object,
    alg: string = signer.alg,
    key: Parameters<SignJWT['sign']>[0] = signer.privateKey,
  ) => new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg, kid: signer.kid }).sign(key);
  const publicPem = createPublicKey(
    createPrivateKey(signer.privateKey.export({ type: 'pkcs8', format: 'pem' })),
  );
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const none = Buffer.from(JSON.stringify({ alg: 'none', kid: signer.kid })).toString('base64url');
  const admin = { ...claims, sub: 'system:serviceaccount:kube-system:admin' };
  t.match(await whoami({ token: await sign({}) }), { username: 'system:serviceaccount:default:robot' });
  for (const [what, token] of [
    ['expired', await sign({ exp: seconds - 1 })],
    ['not yet', await sign({ nbf: seconds + 3600 })],
    ['another audience', await tokenOf({ audiences: ['vault'] })],
    ['another issuer', await sign({ iss: 'https://issuer.example' })],
    ['another key', await sign({}, 'ES256', stranger)],
    ['alg none', `${none}.${payload}.`],
    ['alg none with a signature', `${none}.${payload}.${good.split('.')[2]}`],
    [
      'HS256 with the public key',
      await sign({}, 'HS256', Buffer.from(publicPem.export({ type: 'spki', format: 'pem' }))),
    ],
    [
      'other claims',
      `${header}.${Buffer.from(JSON.stringify(admin)).toString('base64url')}.${good.split('.')[2]}`,
    ],
    ['an account that is not there', await sign(admin)],
    ['half a token', good.slice(0, -10)],
    ['nonsense', 'nonsense'],
    ['a bootstrap token that is not there', 'abcdef.0123456789abcdef'],
  ] as const) {
    const { code, body } = await ask('/api/v1/namespaces', { token });
    t.equal(code, 401, what);
    t.equal(body.message, 'Unauthorized');
    t.equal((await ask('/healthz', { token })).code, 401, 'bad credentials are never anonymous');
  }
});

t.test('tokens end with what they are bound to', async (t) => {
  const { client } = world;
  const spec = { serviceAccountName: 'robot', nodeName: 'n1', containers: [{ name: 'a', image: 'a:1' }] };
  await client.create(pods, { metadata: { namespace: 'default', name: 'web' }, spec });
  await client.create(secrets, { metadata: { namespace: 'default', name: 'cookie' } });
  const ofPod = await tokenOf({ boundObjectRef: { kind: 'Pod', name: 'web' } });
  const ofSecret = await tokenOf({ boundObjectRef: { kind: 'Secret', name: 'cookie' } });
  const ofNode = await tokenOf({ boundObjectRef: { kind: 'Node', name: 'n1' } });
  for (const token of [ofPod, ofSecret, ofNode]) t.equal(await codeOf({ token }), 403);
  t.match(await whoami({ token: ofPod }), {
    extra: {
      'authentication.kubernetes.io/pod-name': ['web'],
      'authentication.kubernetes.io/node-name': ['n1'],
    },
  });
  await client.delete(pods, { namespace: 'default', name: 'web' }, { gracePeriodSeconds: 0 });
  await client.delete(secrets, { namespace: 'default', name: 'cookie' });
  await client.delete(nodes, { name: 'n1' });
  for (const token of [ofPod, ofSecret, ofNode]) t.equal(await codeOf({ token }), 401, 'at once');
});

t.test('certificates', async (t) => {
  const { authority, frontProxy } = world;
  const admin = await issue(authority, 'jane', ['system:masters']);
  t.match(await whoami({ pair: admin }), {
    username: 'jane',
    groups: ['system:masters', 'system:authenticated'],
    extra: { 'authentication.kubernetes.io/credential-id': [/^X509SHA256=[0-9a-f]{64}$/] },
  });
  const other = await createAuthority(new Date());
  const past = new Date(Date.now() - 2 * 365 * 24 * 3_600_000);
  const key = await createKey();
  const several = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      name: [{ O: ['system:masters'] }, { CN: ['harmless'] }, { CN: ['admin'] }],
      keys: await (await import('../../../src/host/x509.js')).importKey(key),
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    },
    crypto,
  );
  const use = { purpose: 'client', lifetimeMs: 3_600_000 } as const;
  const names = { dnsNames: ['a'], ips: [] };
  const subject = { commonName: 'jane', organizations: ['system:masters'] };
  for (const [what, pair] of [
    ['another authority', await issue(other, 'jane', ['system:masters'])],
    ['expired', await issue(authority, 'jane', ['system:masters'], past)],
    ['of a server', await authority.issueServing(subject, names, new Date())],
    ['without a name', await issue(authority, '', ['system:masters'])],
    ['several names', { cert: await authority.signRequest(several.toString('pem'), use, new Date()), key }],
    [
      'of the front proxy, without headers',
      await issue(frontProxy, 'front-proxy-client', ['system:masters']),
    ],
    ['of the authority of front proxies', await issue(frontProxy, 'jane', ['system:masters'])],
    [
      'of a front proxy, signed by an user of ours',
      await issue(await signedBy(admin), 'x', ['system:masters']),
    ],
  ] as const) {
    t.equal(await codeOf({ pair }), 401, what);
    t.equal((await ask('/healthz', { pair })).code, 401, 'bad credentials are never anonymous');
    t.equal(await codeOf({ pair, token: world.adminToken }), 200, 'a good token counts');
  }
});

/** Somebody who takes a user's certificate for an authority. */
const signedBy = (pair: KeyPair): Promise<Authority> => loadAuthority(pair);

t.test('front proxies', async (t) => {
  const { authority, frontProxy, adminToken } = world;
  const pair = await issue(frontProxy, 'front-proxy-client');
  const headers = {
    'X-Remote-User': 'jane',
    'X-Remote-Uid': 'u1',
    'X-Remote-Group': ['dev', 'ops'],
    'X-Remote-Extra-Example.com%2fTeam': 'a',
  };
  t.strictSame(await whoami({ pair, headers }), {
    ...{ username: 'jane', uid: 'u1', groups: ['dev', 'ops', 'system:authenticated'] },
    extra: { 'example.com/team': ['a'] },
  });
  t.equal(await codeOf({ pair, headers: { 'X-Remote-User': 'x', 'X-Remote-Group': 'system:masters' } }), 200);
  t.match(await whoami({ pair, headers, token: adminToken }), { username: 'jane' }, 'the headers win');
  t.match(await whoami({ pair, token: adminToken }), { username: 'kubernetes-admin' });
  const claiming = { 'X-Remote-User': 'kubernetes-admin', 'X-Remote-Group': 'system:masters' };
  t.equal(await codeOf({ headers: claiming }), 401, 'no certificate');
  t.equal(await codeOf({ headers: claiming, pair: await issue(authority, 'front-proxy-client') }), 403);
  t.equal(
    await codeOf({ headers: claiming, pair: await issue(frontProxy, 'somebody') }),
    401,
    'another name',
  );
  const stranger = await createAuthority(new Date());
  t.equal(await codeOf({ headers: claiming, pair: await issue(stranger, 'front-proxy-client') }), 401);
  const past = new Date(Date.now() - 2 * 365 * 24 * 3_600_000);
  const expired = await issue(frontProxy, 'front-proxy-client', [], past);
  t.equal(await codeOf({ headers: claiming, pair: expired }), 401);
  t.equal(await codeOf({ pair, headers: { 'X-Remote-Group': 'system:masters' } }), 401, 'nobody named');
  t.equal(await codeOf({ pair, headers: { 'X-Remote-User': ['jane', 'admin'] } }), 401, 'two names are none');
  t.match(await whoami({ pair, headers: { 'X-Remote-User': 'system:anonymous' } }), 403);
});

t.test('outside issuers and the webhook', async (t) => {
  const { outside, adminToken } = world;
  const token = await outside.sign({ groups: ['dev'] }, new Date());
  t.match(await whoami({ token }), { username: 'out:jane', groups: ['dev', 'system:authenticated'] });
  t.match(await whoami({ token: 'of-webhook' }), {
    username: 'hook',
    groups: ['dev', 'system:authenticated'],
  });
  t.equal(await whoami({ token: await outside.sign({ aud: 'else' }, new Date()) }), 401);
  const review = async (shown: string, audiences?: string[]): Promise<TokenReviewStatus | undefined> => {
    seen.add(shown);
    const spec = { token: shown, ...(audiences && { audiences }) };
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec };
    return (await ask('/apis/authentication.k8s.io/v1/tokenreviews', { token: adminToken, body })).body
      .status;
  };
  t.match(await review(token), {
    authenticated: true,
    audiences: [defaultIssuer],
    user: { username: 'out:jane' },
  });
  t.match(await review('of-webhook', [defaultIssuer, 'x']), {
    authenticated: true,
    audiences: [defaultIssuer],
  });
  t.match(await review(token, ['vault']), { error: 'invalid bearer token' });
  const vault = await tokenOf({ audiences: ['vault'] });
  t.match(await review(vault, ['vault']), {
    ...{ authenticated: true, audiences: ['vault'] },
    user: { extra: { 'authentication.kubernetes.io/credential-id': [/^JTI=/] } },
  });
});

t.test('nothing of a token is in the log', async (t) => {
  const text = JSON.stringify(world.records);
  for (const token of seen) t.notOk(token.length > 12 && text.includes(token.slice(-12)));
});
