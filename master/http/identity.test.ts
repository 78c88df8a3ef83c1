/** Who may come in, as whom, and what the authorizer is asked. */
import t from 'tap';
import type { Status } from '../../src/api/errors.js';
import { createTestServer, type TestServer } from './testing.js';

const pods = '/api/v1/namespaces/default/pods';
let api: TestServer;

t.before(async () => {
  api = await createTestServer();
});
t.teardown(() => api.close());

t.test('says who may come in', async (t) => {
  const none = await api.ask('GET', pods, { token: null });
  t.equal(none.code, 401);
  t.match(none.json(), { kind: 'Status', reason: 'Unauthorized', message: 'Unauthorized', code: 401 });
  t.equal((await api.ask('GET', pods, { token: 'wrong' })).code, 401);
  t.equal(
    (await api.ask('GET', '/healthz', { token: 'wrong' })).code,
    401,
    'bad credentials are never anonymous',
  );
  for (const path of ['/healthz', '/livez', '/readyz', '/version']) {
    t.equal((await api.ask('GET', path, { token: null })).code, 200, path);
  }
  for (const [token, code] of [
    [null, 401],
    ['nobody-token', 403],
    ['admin-token', 200],
  ] as const)
    t.equal((await api.ask('GET', '/livez/ping', { token })).code, code, 'a single check takes a permission');
  t.equal((await api.ask('GET', '/', { token: null })).code, 401);
  t.equal((await api.ask('POST', '/version', { token: null })).code, 401);
  const { client, stranger } = api.certificates;
  t.equal((await api.ask('GET', pods, { token: null, certificate: client })).code, 200);
  t.equal((await api.ask('GET', pods, { token: null, certificate: stranger })).code, 401, 'another CA');
  t.equal((await api.ask('GET', '/healthz', { token: null, certificate: stranger })).code, 401);
  t.equal((await api.ask('GET', pods, { certificate: stranger })).code, 200, 'the token counts');
});

t.test('a browser offers its token as a WebSocket subprotocol', async (t) => {
  const token = `base64url.bearer.authorization.k8s.io.${Buffer.from('admin-token').toString('base64url')}`;
  const get = (offered: string) =>
    api.ask('GET', pods, { token: null, headers: { 'sec-websocket-protocol': offered } });
  t.equal((await get(`v4.channel.k8s.io, ${token}`)).code, 200);
  t.equal((await get(token)).code, 401, 'a real protocol has to be there');
  t.equal((await get(`v4.channel.k8s.io, ${token}x`)).code, 401);
});

t.test('acts as somebody else for whoever may', async (t) => {
  const as = (headers: Record<string, string | string[]>, token = 'admin-token') =>
    api.ask('GET', pods, { token, headers });
  const refused = await as({ 'impersonate-user': 'jane', 'impersonate-group': 'dev' });
  t.equal(refused.code, 403);
  t.match(refused.json<Status>().message, /User "jane" cannot list resource "pods"/);
  t.same(api.asked.at(-1)?.user, { name: 'jane', groups: ['dev', 'system:authenticated'] });
  t.match(api.asked.slice(-3), [
    { verb: 'impersonate', resource: 'users', name: 'jane' },
    { verb: 'impersonate', resource: 'groups', name: 'dev' },
    { verb: 'list', resource: 'pods' },
  ]);
  t.equal((await as({ 'impersonate-user': 'x', 'impersonate-group': 'system:masters' })).code, 200);
  await as({ 'impersonate-user': 'system:serviceaccount:a:b', 'impersonate-extra-scopes%2Fx': 'y' });
  const { name, groups, extra: more } = api.asked.at(-1)?.user ?? {};
  t.equal(name, 'system:serviceaccount:a:b');
  t.same(groups, ['system:serviceaccounts', 'system:serviceaccounts:a', 'system:authenticated']);
  t.same(more, { 'scopes/x': ['y'] });
  t.equal((await as({ 'impersonate-group': 'dev' })).code, 400);
  t.equal((await as({ 'impersonate-user': ['jane', 'admin'] })).code, 400, 'one at a time');
  t.equal((await as({ 'impersonate-user': 'jane', 'impersonate-uid': ['1', '2'] })).code, 400);
  t.equal((await as({ 'impersonate-user': 'jane', 'impersonate-extra-%zz': 'x' })).code, 400);
  await as({ 'impersonate-user': Buffer.from('jäne').toString('latin1'), 'impersonate-uid': 'u1' });
  t.match(api.asked.slice(-3), [
    { resource: 'users', name: 'jäne' },
    { resource: 'uids', group: 'authentication.k8s.io', name: 'u1' },
    { verb: 'list', user: { name: 'jäne', uid: 'u1' } },
  ]);
  await as({
    'impersonate-user': 'system:serviceaccount:a:B_',
    'impersonate-group': 'system:unauthenticated',
  });
  t.match(api.asked.slice(-3), [
    { resource: 'users', name: 'system:serviceaccount:a:B_' },
    { resource: 'groups' },
    { user: { groups: ['system:unauthenticated'] } },
  ]);
  t.equal(api.asked.at(-1)?.user.groups.length, 1);
  const extra = { 'impersonate-user': 'jane', 'impersonate-extra-team': ['a', 'b'] };
  t.equal((await as(extra, 'nobody-token')).code, 403);
  await as(extra);
  t.match(api.asked.slice(-3, -1), [
    { verb: 'impersonate', resource: 'userextras', subresource: 'team', name: 'a' },
    { verb: 'impersonate', resource: 'userextras', subresource: 'team', name: 'b' },
  ]);
  const denied = await as({ 'impersonate-user': 'jane' }, 'nobody-token');
  t.match(
    denied.json<Status>().message,
    /users "jane" is forbidden: User "nobody" cannot impersonate resource "users"/,
  );
});

t.test('words refusals as kube-apiserver does', async (t) => {
  const message = async (method: string, path: string): Promise<string> => {
    const answer = await api.ask(method, path, { token: 'nobody-token' });
    t.equal(answer.code, 403);
    return answer.json<Status>().message ?? '';
  };
  const head = 'User "nobody" cannot';
  t.equal(
    await message('GET', pods),
    `pods is forbidden: ${head} list resource "pods" in API group "" in the namespace "default"`,
  );
  t.equal(
    await message('GET', '/apis/apps/v1/deployments'),
    `deployments.apps is forbidden: ${head} list resource "deployments" in API group "apps" at the cluster scope`,
  );
  t.equal(
    await message('GET', `${pods}/web/log`),
    `pods "web" is forbidden: ${head} get resource "pods/log" in API group "" in the namespace "default"`,
  );
  t.equal(await message('GET', '/openapi/v3'), `forbidden: ${head} get path "/openapi/v3"`);
});

t.test('tells the authorizer what is asked', async (t) => {
  const askedFor = async (method: string, path: string): Promise<unknown> => {
    await api.ask(method, path, { token: 'nobody-token' });
    return api.asked.at(-1);
  };
  t.match(await askedFor('GET', `${pods}?watch=1`), {
    verb: 'watch',
    resource: 'pods',
    namespace: 'default',
  });
  t.match(await askedFor('DELETE', pods), { verb: 'deletecollection', name: undefined });
  t.match(await askedFor('GET', '/api/v1/namespaces/x'), {
    resource: 'namespaces',
    namespace: 'x',
    name: 'x',
  });
  t.match(await askedFor('PUT', '/api/v1/namespaces/x/finalize'), {
    resource: 'namespaces',
    subresource: 'finalize',
  });
  t.match(await askedFor('GET', `${pods}?fieldSelector=metadata.name%3Dweb`), { verb: 'list', name: 'web' });
  t.match(await askedFor('HEAD', `${pods}/a%20b`), { verb: 'get', name: 'a b' });
});
