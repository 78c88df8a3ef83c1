/**
 * Asked of a whole master over HTTPS: a sample of the matrix, what nodes must not get at, and ways to more rights than
 * one has. What is refused is refused with the words that users know.
 */
import t from 'tap';
import { access, bindingOf, core, openTestMaster, roleOf, root, until, type Who } from './mastertesting.js';
import { rbacGroup } from './rbacindex.js';
import { may } from './rbacrow.js';

const { ask, make, tokenOf, close } = await openTestMaster();
t.teardown(close);

const merge = 'application/merge-patch+json';
const nodeUser = (name: string): Who => ({ as: `system:node:${name}`, groups: ['system:nodes'] });
const [n1, n2] = [nodeUser('n1'), nodeUser('n2')];

await make('/api/v1/namespaces', { metadata: { name: 'dev' } });
await until(200, () => ask(root, 'GET', core('dev', 'serviceaccounts/default')));
const podOf = (name: string, node: string, secret: string): object => ({
  metadata: { name },
  spec: {
    nodeName: node,
    containers: [{ name: 'a', image: 'b' }],
    volumes: [{ name: 's', secret: { secretName: secret } }],
  },
});
for (const name of ['one', 'two', 'other']) await make(core('dev', 'secrets'), { metadata: { name } });
await make(core('dev', 'pods'), podOf('one', 'n1', 'one'));
await make(core('dev', 'pods'), podOf('two', 'n2', 'two'));

t.test('a sample of the matrix', async (t) => {
  for (const name of ['view', 'edit', 'admin'])
    await make(access('rolebindings', 'dev'), bindingOf(name, 'ClusterRole', name, name));
  await until(200, () => ask({ as: 'admin' }, 'GET', access('roles', 'dev')));
  await make(core('kube-system', 'serviceaccounts'), { metadata: { name: 'replicaset-controller' } });
  const people: Record<string, Who> = {
    nobody: { token: '' },
    joe: { as: 'joe' },
    view: { as: 'view' },
    edit: { as: 'edit' },
    admin: { as: 'admin' },
    n1,
    n2,
    controller: { token: await tokenOf('kube-system', 'replicaset-controller') },
    root,
  };
  /** The verbs of a row are those of its method; the numbers are for the people in their order. */
  const rows: [Parameters<typeof ask>[1], string, string][] = [
    ['GET', '/healthz', '200 200 200 200 200 200 200 200 200'],
    ['GET', '/api', '401 200 200 200 200 200 200 200 200'],
    ['GET', '/metrics', '401 403 403 403 403 403 403 403 200'],
    ['GET', core('dev', 'pods'), '401 403 200 200 200 403 403 200 200'],
    ['GET', core('dev', 'pods/one'), '401 403 200 200 200 200 403 403 200'],
    ['GET', core('dev', 'secrets'), '401 403 403 200 200 403 403 403 200'],
    ['GET', core('dev', 'secrets/one'), '401 403 403 200 200 200 403 403 200'],
    ['GET', core('dev', 'secrets/two'), '401 403 403 200 200 403 200 403 200'],
    ['GET', access('roles', 'dev'), '401 403 403 403 200 403 403 403 200'],
    ['GET', access('clusterroles'), '401 403 403 403 403 403 403 403 200'],
    ['GET', '/api/v1/nodes', '401 403 403 403 403 200 200 403 200'],
    ['GET', '/api/v1/namespaces', '401 403 403 403 403 403 403 403 200'],
    ['GET', '/api/v1/namespaces/dev', '401 403 200 200 200 403 403 403 200'],
    ['GET', '/api/v1/persistentvolumes', '401 403 403 403 403 403 403 403 200'],
    ['POST', core('dev', 'configmaps?dryRun=All'), '401 403 403 201 201 403 403 403 201'],
    ['POST', core('dev', 'limitranges?dryRun=All'), '401 403 403 403 403 403 403 403 201'],
    ['DELETE', core('dev', 'secrets/other?dryRun=All'), '401 403 403 200 200 403 403 403 200'],
    ['DELETE', core('dev', 'secrets?dryRun=All'), '401 403 403 200 200 403 403 403 200'],
  ];
  for (const [method, path, codes] of rows)
    for (const [at, [name, who]] of Object.entries(people).entries()) {
      const wanted = codes.split(' ')[at] ?? '';
      const body = method === 'POST' ? { metadata: { name: 'new' }, spec: { limits: [] } } : undefined;
      const { code, message } = await ask(who, method, path, body);
      t.equal(code, Number(wanted), `${name} ${method} ${path}: ${message}`);
    }
});

t.test("a node does not read another node's Secret, however it asks", async (t) => {
  const cannot = 'User "system:node:n1" cannot';
  const tail = 'resource "secrets" in API group "" in the namespace "dev"';
  const unrelated = `no relationship found between node 'n1' and this object`;
  const select = (selector: string): string =>
    core('dev', `secrets?fieldSelector=${encodeURIComponent(selector)}`);
  const rows: [string, string][] = [
    [core('dev', 'secrets/two'), `secrets "two" is forbidden: ${cannot} get ${tail}: ${unrelated}`],
    [core('dev', 'secrets/none'), `secrets "none" is forbidden: ${cannot} get ${tail}: ${unrelated}`],
    [core('dev', 'secrets'), `secrets is forbidden: ${cannot} list ${tail}: No Object name found`],
    [select('metadata.name=two'), `secrets "two" is forbidden: ${cannot} list ${tail}: ${unrelated}`],
    [select('metadata.name!=one'), `secrets is forbidden: ${cannot} list ${tail}: No Object name found`],
    [
      select('type!=x\\,metadata.name=one'),
      `secrets is forbidden: ${cannot} list ${tail}: No Object name found`,
    ],
    [
      '/api/v1/pods',
      `pods is forbidden: ${cannot} list resource "pods" in API group "" at the cluster scope: can only list/watch pods with spec.nodeName field selector`,
    ],
  ];
  for (const [path, message] of rows) t.match(await ask(n1, 'GET', path), { code: 403, message }, path);
  t.match(await ask(n1, 'GET', `${core('dev', 'secrets')}?watch=1&fieldSelector=metadata.name%3Dtwo`), {
    code: 403,
  });
  for (const path of [core('dev', 'secrets/one'), select('metadata.name=one')])
    t.match(await ask(n1, 'GET', path), { code: 200 }, path);
  t.match(await ask(n1, 'GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dn1'), {
    code: 200,
    body: { items: [{ metadata: { name: 'one' } }] },
  });
  t.match(await ask(n1, 'GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dn2'), { code: 403 });

  // Its own pods are what it makes of them: none that leads to the Secret.
  const uid = await registered('n1', n1);
  const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid, controller: true };
  const mirror = {
    metadata: {
      name: 'trick',
      annotations: { 'kubernetes.io/config.mirror': 'x' },
      ownerReferences: [owner],
    },
    spec: { nodeName: 'n1', containers: [{ name: 'a', image: 'b' }] },
  };
  const volumes = [{ name: 's', secret: { secretName: 'two' } }];
  t.match(await ask(n1, 'POST', core('dev', 'pods'), { ...mirror, spec: { ...mirror.spec, volumes } }), {
    code: 403,
    message: 'pods "trick" is forbidden: node "n1" can not create pods that reference secrets',
  });
  t.equal((await ask(n1, 'POST', core('dev', 'pods'), mirror)).code, 201);
  t.match(await ask(n1, 'POST', core('dev', 'pods/two/binding'), { target: { name: 'n1' } }), { code: 403 });
  t.match(await ask(n1, 'PATCH', core('dev', 'pods/trick'), { spec: { volumes } }, merge), { code: 403 });
  const token = { spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'two', uid: 'x' } } };
  t.match(await ask(n1, 'POST', core('dev', 'serviceaccounts/default/token'), token), {
    code: 403,
    message: /the UID in the bound object reference/,
  });
  t.match(await ask(n1, 'POST', core('kube-system', 'serviceaccounts/default/token'), token), {
    code: 403,
    message: /no relationship found between node 'n1' and this object/,
  });
});

async function registered(name: string, who: Who): Promise<string> {
  const { body } = await ask(who, 'POST', '/api/v1/nodes', { metadata: { name } });
  return (body as { metadata: { uid: string } }).metadata.uid;
}

t.test('a node does not label itself into another role, nor get rid of its taints', async (t) => {
  const role = 'node-role.kubernetes.io/control-plane';
  t.match(await ask(n2, 'POST', '/api/v1/nodes', { metadata: { name: 'n2', labels: { [role]: '' } } }), {
    code: 403,
    message: `nodes "n2" is forbidden: node "n2" is not allowed to set the following labels: ${role}`,
  });
  await registered('n2', n2);
  const path = '/api/v1/nodes/n2';
  const labelled = { metadata: { labels: { [role]: '' } } };
  const said = { code: 403, message: `nodes "n2" is forbidden: is not allowed to modify labels: ${role}` };
  t.match(await ask(n2, 'PATCH', path, labelled, merge), said);
  t.match(await ask(n2, 'PATCH', `${path}/status`, labelled, merge), said);
  const applied = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n2', labels: { [role]: '' } } };
  t.match(await ask(n2, 'PATCH', `${path}?fieldManager=x`, applied, 'application/apply-patch+yaml'), said);
  const { body } = await ask(root, 'GET', path);
  const { metadata } = body as { metadata: object };
  t.match(await ask(n2, 'PUT', path, { metadata: { ...metadata, labels: { [role]: '' } } }), { code: 403 });
  t.match(await ask(n1, 'PATCH', path, { metadata: { labels: { a: 'b' } } }, merge), {
    code: 403,
    message: 'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"',
  });

  const taints = [{ key: 'dedicated', effect: 'NoSchedule' }];
  await ask(root, 'PATCH', path, { spec: { taints } }, merge);
  t.match(await ask(n2, 'PATCH', path, { spec: { taints: null } }, merge), {
    code: 403,
    message: 'nodes "n2" is forbidden: node "n2" is not allowed to modify taints',
  });
  t.match(await ask(n2, 'DELETE', path), { code: 403 });
  const ownerReferences = [{ apiVersion: 'v1', kind: 'Pod', name: 'gone', uid: 'gone' }];
  t.match(await ask(n2, 'PATCH', path, { metadata: { ownerReferences } }, merge), { code: 403 });
  t.match(await ask(n2, 'PATCH', path, { metadata: { labels: { team: 'a' } } }, merge), { code: 200 });
});

t.test('nobody gets more rights than they have', async (t) => {
  const eve: Who = { as: 'eve' };
  // May write roles and bindings of the cluster, and little else.
  const holds = [may('create update patch get', rbacGroup, 'clusterroles clusterrolebindings')];
  await make(access('clusterroles'), roleOf('eve', holds));
  await make(access('clusterrolebindings'), bindingOf('eve', 'ClusterRole', 'eve', 'eve'));
  await until(200, () => ask(eve, 'GET', access('clusterroles/eve')));
  const everything = [may('*', '*', '*')];
  const roles = access('clusterroles');
  const bindings = access('clusterrolebindings');
  const refused = async (
    method: 'POST' | 'PATCH' | 'PUT',
    path: string,
    body: object,
    message: RegExp,
  ): Promise<void> => {
    const answer = await ask(eve, method, path, body, method === 'PATCH' ? merge : undefined);
    t.match(answer, { code: 403, message }, `${method} ${path}`);
  };
  const notHeld =
    /user "eve" \(groups=\["system:authenticated"\]\) is attempting to grant RBAC permissions not currently held/;
  await refused('POST', roles, roleOf('more', everything), notHeld);
  await refused('PATCH', `${roles}/eve`, { rules: everything }, notHeld);
  await refused(
    'PATCH',
    `${roles}/eve`,
    { rules: [...holds, may('escalate bind', rbacGroup, '*')] },
    notHeld,
  );
  await refused('POST', bindings, bindingOf('up', 'ClusterRole', 'cluster-admin', 'eve'), notHeld);
  await refused('POST', bindings, bindingOf('up', 'ClusterRole', 'system:node', 'eve'), notHeld);
  const subjects = [{ kind: 'User', apiGroup: rbacGroup, name: 'eve' }];
  await refused('PATCH', `${bindings}/cluster-admin`, { subjects }, notHeld);
  const system = `${bindings}/system:kube-controller-manager`;
  await refused('PATCH', system, { subjects }, notHeld);

  // A label that a gathering role selects is as good as its rules: who writes it must hold them.
  const label = (to: string): object => ({
    metadata: { labels: { [`${rbacGroup}/aggregate-to-${to}`]: 'true' } },
  });
  await refused('POST', roles, { ...label('view'), ...roleOf('x', everything) }, notHeld);
  const gathering = { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] } };
  await refused('POST', roles, { ...roleOf('all', []), ...gathering }, /must have cluster-admin privileges/);
  await refused('PATCH', `${roles}/eve`, gathering, /must have cluster-admin privileges/);
  await make(roles, { ...roleOf('gathers', []), ...gathering });
  await refused(
    'PATCH',
    `${roles}/gathers`,
    { metadata: { labels: { c: 'd' } } },
    /cluster-admin privileges/,
  );
  t.match(
    await ask(eve, 'PATCH', `${roles}/secret-reader`, label('view'), merge),
    { code: 404 },
    'a patch makes nothing',
  );
  await make(roles, roleOf('secret-reader', [may('get', '', 'secrets')]));
  await refused('PATCH', `${roles}/secret-reader`, label('view'), notHeld);

  // Acting as somebody else.
  for (const headers of [
    { as: 'root', groups: ['system:masters'] },
    { as: 'system:kube-controller-manager' },
    { as: 'system:serviceaccount:kube-system:clusterrole-aggregation-controller' },
  ]) {
    await make(core('dev', 'serviceaccounts'), { metadata: { name: 'eve' } }).catch(() => undefined);
    const token = await tokenOf('dev', 'eve');
    t.match(await ask({ ...headers, token }, 'GET', '/api/v1/secrets'), {
      code: 403,
      message: /cannot impersonate resource/,
    });
  }
  t.match(
    await ask(eve, 'POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', { spec: { user: 'root' } }),
    { code: 403 },
  );
});
