/** Who may do what, asked of a whole master over HTTPS: tokens of service accounts, roles, grants, impersonation. */
import t from 'tap';
import type { ClusterRole, PolicyRule, SelfSubjectRulesReview } from '../../src/api/types.js';
import { access, bindingOf, core, openTestMaster, roleOf, root, until, type Who } from './mastertesting.js';
import { rbacGroup } from './rbacindex.js';
import { may, mayGet } from './rbacrow.js';

const { ask, make, tokenOf, restart, close } = await openTestMaster();
t.teardown(close);

await make('/api/v1/namespaces', { metadata: { name: 'dev' } });

t.test('a service account may what its role says', async (t) => {
  await make(core('dev', 'serviceaccounts'), { metadata: { name: 'robot' } });
  await make(access('roles', 'dev'), roleOf('reader', [may('get list watch', '', 'pods configmaps')]));
  await make(access('rolebindings', 'dev'), {
    metadata: { name: 'robot' },
    roleRef: { apiGroup: rbacGroup, kind: 'Role', name: 'reader' },
    subjects: [{ kind: 'ServiceAccount', name: 'robot', namespace: 'dev' }],
  });
  const robot: Who = { token: await tokenOf('dev', 'robot') };
  t.match(await until(200, () => ask(robot, 'GET', core('dev', 'pods'))), { code: 200, body: { items: [] } });
  t.equal((await ask(robot, 'GET', core('dev', 'configmaps/kube-root-ca.crt'))).code, 200);
  t.equal((await ask(robot, 'GET', core('dev', 'pods/none'))).code, 404);
  t.equal(
    (await ask(robot, 'GET', core('dev', 'pods?watch=true&timeoutSeconds=1&resourceVersion=0'))).code,
    200,
  );
  t.equal((await ask(robot, 'GET', '/apis')).code, 200);
  const user = 'User "system:serviceaccount:dev:robot" cannot';
  const rows: [Parameters<typeof ask>[1], string, string][] = [
    [
      'GET',
      core('dev', 'secrets'),
      `secrets is forbidden: ${user} list resource "secrets" in API group "" in the namespace "dev"`,
    ],
    [
      'GET',
      core('default', 'pods'),
      `pods is forbidden: ${user} list resource "pods" in API group "" in the namespace "default"`,
    ],
    [
      'GET',
      '/api/v1/pods',
      `pods is forbidden: ${user} list resource "pods" in API group "" at the cluster scope`,
    ],
    [
      'GET',
      core('dev', 'pods/a/log'),
      `pods "a" is forbidden: ${user} get resource "pods/log" in API group "" in the namespace "dev"`,
    ],
    [
      'DELETE',
      core('dev', 'pods/a'),
      `pods "a" is forbidden: ${user} delete resource "pods" in API group "" in the namespace "dev"`,
    ],
    [
      'DELETE',
      core('dev', 'pods'),
      `pods is forbidden: ${user} deletecollection resource "pods" in API group "" in the namespace "dev"`,
    ],
    [
      'POST',
      core('dev', 'configmaps'),
      `configmaps is forbidden: ${user} create resource "configmaps" in API group "" in the namespace "dev"`,
    ],
    [
      'GET',
      '/api/v1/nodes',
      `nodes is forbidden: ${user} list resource "nodes" in API group "" at the cluster scope`,
    ],
    [
      'GET',
      '/apis/apps/v1/namespaces/dev/deployments/x/scale',
      `deployments.apps "x" is forbidden: ${user} get resource "deployments/scale" in API group "apps" in the namespace "dev"`,
    ],
    ['GET', '/metrics', `forbidden: ${user} get path "/metrics"`],
  ];
  for (const [method, path, message] of rows) {
    const body = method === 'POST' ? {} : undefined;
    t.match(
      await ask(robot, method, path, body),
      { code: 403, message, body: { reason: 'Forbidden' } },
      path,
    );
  }

  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectRulesReview',
    spec: { namespace: 'dev' },
  };
  const { body } = await ask(robot, 'POST', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', review);
  const { status } = body as SelfSubjectRulesReview;
  t.ok(status?.resourceRules.some(({ resources }) => resources?.includes('configmaps')));
  t.equal(status?.incomplete, false);

  await ask(root, 'DELETE', access('roles/reader', 'dev'));
  const lost = await until(403, () => ask(robot, 'GET', core('dev', 'pods')));
  t.equal(
    lost.message,
    `pods is forbidden: ${user} list resource "pods" in API group "" in the namespace "dev": RBAC: role.rbac.authorization.k8s.io "reader" not found`,
  );
});

t.test('what creates takes the right to create, whatever the method', async (t) => {
  const amy: Who = { as: 'amy' };
  const rules = [may('update patch', rbacGroup, 'roles')];
  await make(access('roles', 'dev'), roleOf('changer', rules));
  await make(access('rolebindings', 'dev'), bindingOf('amy', 'Role', 'changer', 'amy'));
  const path = `${access('roles', 'dev')}/made`;
  const empty = roleOf('made', []);
  const cannot = `roles.${rbacGroup} "made" is forbidden: User "amy" cannot create resource "roles"`;
  const message = new RegExp(cannot.replace(/[.]/g, '\\.'));
  await until(403, () => ask(amy, 'PUT', path, empty));
  t.match(await ask(amy, 'PUT', path, empty), { code: 403, message });
  const applied = { apiVersion: `${rbacGroup}/v1`, kind: 'Role', ...empty };
  const apply = 'application/apply-patch+yaml';
  t.match(await ask(amy, 'PATCH', `${path}?fieldManager=x`, applied, apply), { code: 403, message });
  await make(access('roles', 'dev'), empty);
  t.match(await ask(amy, 'PUT', path, empty), { code: 200 }, 'what is there may be changed');
});

t.test('nobody grants what they do not hold', async (t) => {
  const joe: Who = { as: 'joe' };
  await make(access('rolebindings', 'dev'), bindingOf('joe', 'ClusterRole', 'admin', 'joe'));
  await until(200, () => ask(joe, 'GET', core('dev', 'pods')));
  const grants =
    'user "joe" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:';
  const rolesPath = access('roles', 'dev');
  const bindingsPath = access('rolebindings', 'dev');
  const nodes = '{APIGroups:[""], Resources:["nodes"], Verbs:["get" "list"]}';

  t.match(await ask(joe, 'POST', rolesPath, roleOf('own', [may('get', '', 'pods')])), { code: 201 });
  const refused = { code: 403, message: `roles.${rbacGroup} "more" is forbidden: ${grants}\n${nodes}` };
  const more = roleOf('more', [may('get list', '', 'nodes pods')]);
  t.match(await ask(joe, 'POST', rolesPath, more), refused);
  t.match(await ask(joe, 'POST', `${rolesPath}?dryRun=All`, more), refused);
  t.match(await ask(joe, 'PUT', `${rolesPath}/more`, more), refused, 'an update that would create');
  const applied = { apiVersion: `${rbacGroup}/v1`, kind: 'Role', ...more };
  const apply = 'application/apply-patch+yaml';
  t.match(await ask(joe, 'PATCH', `${rolesPath}/more?fieldManager=x`, applied, apply), refused);
  const merge = 'application/merge-patch+json';
  const changed = { rules: [may('*', '', 'pods')] };
  t.match(await ask(joe, 'PATCH', `${rolesPath}/own`, changed, merge), {
    code: 403,
    message: `roles.${rbacGroup} "own" is forbidden: ${grants}\n{APIGroups:[""], Resources:["pods"], Verbs:["*"]}`,
  });
  t.match(await ask(joe, 'PATCH', `${rolesPath}/own`, { rules: [may('list', '', 'pods')] }, merge), {
    code: 200,
  });

  const all = ['{APIGroups:["*"], Resources:["*"], Verbs:["*"]}', '{NonResourceURLs:["*"], Verbs:["*"]}'];
  t.match(await ask(joe, 'POST', bindingsPath, bindingOf('big', 'ClusterRole', 'cluster-admin', 'joe')), {
    code: 403,
    message: `rolebindings.${rbacGroup} "big" is forbidden: ${grants}\n${all.join('\n')}`,
  });
  t.match(await ask(joe, 'POST', bindingsPath, bindingOf('mary', 'ClusterRole', 'view', 'mary')), {
    code: 201,
  });
  t.match(await ask(joe, 'POST', bindingsPath, bindingOf('none', 'Role', 'none', 'mary')), {
    code: 404,
    message: `role.${rbacGroup} "none" not found`,
  });
  t.match(await ask(joe, 'POST', access('clusterroles'), roleOf('x', [])), {
    code: 403,
    message:
      /cannot create resource "clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope/,
  });

  // A role that the administrator gave more than joe holds: joe may still delete it, but not touch what it says.
  await make(rolesPath, roleOf('above', [may('get', '', 'nodes')]));
  const labelled = { metadata: { labels: { a: 'b' } } };
  t.match(await ask(joe, 'PATCH', `${rolesPath}/above`, labelled, merge), {
    code: 403,
    message: /not currently held/,
  });
  const finalized = { metadata: { finalizers: ['example.com/x'] } };
  t.match(await ask(joe, 'PATCH', `${rolesPath}/above`, finalized, merge), { code: 200 });
  t.match(await ask(joe, 'PATCH', `${rolesPath}/above`, { metadata: { finalizers: null } }, merge), {
    code: 200,
  });
  t.match(await ask(joe, 'DELETE', `${rolesPath}/above`), { code: 200 });

  const lets = [may('escalate', rbacGroup, 'roles'), may('bind', rbacGroup, 'clusterroles', 'cluster-admin')];
  await make(rolesPath, roleOf('lets', lets));
  await make(bindingsPath, bindingOf('lets', 'Role', 'lets', 'joe'));
  t.match(await until(201, () => ask(joe, 'POST', rolesPath, more)), { code: 201 }, 'escalate');
  t.match(await ask(joe, 'POST', bindingsPath, bindingOf('edge', 'ClusterRole', 'system:node', 'joe')), {
    code: 403,
  });
  t.match(await ask(joe, 'POST', bindingsPath, bindingOf('big', 'ClusterRole', 'cluster-admin', 'joe')), {
    code: 201,
  });
});

t.test('roles that gather others', async (t) => {
  const rulesOf = async (name: string): Promise<PolicyRule[]> =>
    ((await ask(root, 'GET', access(`clusterroles/${name}`))).body as ClusterRole).rules ?? [];
  const rulesBecome = async (name: string, count: number): Promise<PolicyRule[]> => {
    const rules = await until(200, async () => {
      const rules = await rulesOf(name);
      return { code: rules.length === count ? 200 : 0, body: rules, message: '' };
    });
    return rules.body as PolicyRule[];
  };
  const part = (name: string, rule: PolicyRule, labels: object): object => ({
    metadata: { name, labels },
    rules: [rule],
  });
  const gathering = (name: string, label: string, labels = {}): object => ({
    metadata: { name, labels },
    rules: [mayGet('/dropped')],
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [label]: 'x' } }] },
  });
  await make(access('clusterroles'), gathering('inner', 'team', { outer: 'x' }));
  await make(access('clusterroles'), gathering('outer', 'outer'));
  t.strictSame(await rulesBecome('outer', 0), []);
  await make(access('clusterroles'), part('part', may('get', '', 'nodes'), { team: 'x' }));
  t.match(await rulesBecome('outer', 1), [{ resources: ['nodes'] }], 'through both');
  const widgets = part('widgets', may('get list', 'example.com', 'widgets'), {
    [`${rbacGroup}/aggregate-to-view`]: 'true',
  });
  const mary: Who = { as: 'ann' };
  await make(access('rolebindings', 'dev'), bindingOf('ann', 'ClusterRole', 'view', 'ann'));
  await make(access('clusterroles'), widgets);
  const path = '/apis/example.com/v1/namespaces/dev/widgets';
  t.equal((await until(404, () => ask(mary, 'GET', path))).code, 404, 'allowed, though not served');
  await ask(root, 'DELETE', access('clusterroles/part'));
  t.strictSame(await rulesBecome('outer', 0), []);

  await make(
    access('clusterroles'),
    roleOf(
      'almost',
      [may('*', '*', '*')].map((rule) => ({ ...rule, verbs: ['create', 'get', 'update'] })),
    ),
  );
  await make(access('clusterrolebindings'), bindingOf('almost', 'ClusterRole', 'almost', 'sue'));
  const own = {
    metadata: { name: 'sues' },
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
  };
  t.match(await until(403, () => ask({ as: 'sue' }, 'POST', access('clusterroles'), own)), {
    code: 403,
    message: `clusterroles.${rbacGroup} "sues" is forbidden: must have cluster-admin privileges to use the aggregationRule`,
  });
});

t.test('acting as somebody else takes the right to', async (t) => {
  await make(core('dev', 'serviceaccounts'), { metadata: { name: 'proxy' } });
  await make(
    access('clusterroles'),
    roleOf('proxy', [may('impersonate', '', 'users', 'ann'), may('impersonate', '', 'groups', 'devs')]),
  );
  await make(access('clusterrolebindings'), {
    ...bindingOf('proxy', 'ClusterRole', 'proxy', ''),
    subjects: [{ kind: 'ServiceAccount', name: 'proxy', namespace: 'dev' }],
  });
  const token = await tokenOf('dev', 'proxy');
  const pods = core('dev', 'pods');
  t.equal((await until(200, () => ask({ token, as: 'ann' }, 'GET', pods))).code, 200);
  t.equal((await ask({ token, as: 'ann', groups: ['devs'] }, 'GET', pods)).code, 200);
  const cannot = 'User "system:serviceaccount:dev:proxy" cannot impersonate resource';
  t.match(await ask({ token, as: 'joe' }, 'GET', pods), {
    code: 403,
    message: `users "joe" is forbidden: ${cannot} "users" in API group "" at the cluster scope`,
  });
  t.match(await ask({ token, as: 'ann', groups: ['system:masters'] }, 'GET', pods), {
    code: 403,
    message: `groups "system:masters" is forbidden: ${cannot} "groups" in API group "" at the cluster scope`,
  });
  t.match(await ask({ token, as: 'system:serviceaccount:dev:robot' }, 'GET', pods), {
    code: 403,
    message: `serviceaccounts "robot" is forbidden: ${cannot} "serviceaccounts" in API group "" in the namespace "dev"`,
  });
  t.equal((await ask({ token }, 'GET', pods)).code, 403);
});

t.test('a restart: completes default roles, and refuses nobody for want of them', async (t) => {
  const merge = 'application/merge-patch+json';
  const clusterRole = async (name: string): Promise<ClusterRole> =>
    (await ask(root, 'GET', access(`clusterroles/${name}`))).body as ClusterRole;
  await ask(root, 'DELETE', access('clusterroles/system:discovery'));
  await ask(
    root,
    'PATCH',
    access('clusterroles/system:basic-user'),
    { rules: [may('get', '', 'pods')] },
    merge,
  );
  const left = {
    metadata: { annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } },
    rules: [],
  };
  await ask(root, 'PATCH', access('clusterroles/system:monitoring'), left, merge);
  await ask(root, 'PATCH', access('clusterrolebindings/system:discovery'), { subjects: null }, merge);
  await restart();
  const ann = await ask({ as: 'ann' }, 'GET', core('dev', 'pods'));
  t.equal(ann.code, 200, 'the first question of all');
  t.equal((await ask({ as: 'ann' }, 'GET', '/apis')).code, 200);
  t.match(await clusterRole('system:discovery'), {
    metadata: { labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
  });
  t.match((await clusterRole('system:basic-user')).rules, { length: 4, 0: { resources: ['pods'] } });
  t.same((await clusterRole('system:monitoring')).rules ?? [], []);
});
