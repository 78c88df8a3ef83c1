/**
 * Every built-in kind and subresource, every verb, everybody: what the authorizer says against what `matrixtesting.ts` has
 * written down. A kind that is new fails here until it has a line.
 */
import t from 'tap';
import type { ResourceType } from '../../src/api/kinds.js';
import type { User } from '../registry/registry.js';
import { createResources } from '../resources/table.js';
import { type Attributes, pathAttributes } from './auth.js';
import { createAuthorizer } from './authorizer.js';
import { expectedAccess, expectedPaths, expectedWords } from './matrixtesting.js';
import { rbacGroup } from './rbacindex.js';
import { users } from './rbacrow.js';
import { createTestGraph, createTestRoles } from './testing.js';

const read = ['get', 'list', 'watch'];
const write = ['create', 'update', 'patch', 'delete', 'deletecollection'];
const special = ['bind', 'escalate', 'impersonate', 'approve', 'sign', 'attest', 'use', 'proxy', '*'];
const verbs = [...read, ...write, ...special];
const unnamed = ['list', 'watch', 'create', 'deletecollection'];

const known = (name: string, ...groups: string[]): User => ({
  name,
  groups: [...groups, 'system:authenticated'],
});
const account = (name: string): User =>
  known(
    `system:serviceaccount:kube-system:${name}`,
    'system:serviceaccounts',
    'system:serviceaccounts:kube-system',
  );

const people = {
  nobody: { name: 'system:anonymous', groups: ['system:unauthenticated'] },
  any: known('joe'),
  view: known('view'),
  edit: known('edit'),
  admin: known('admin'),
  node: known('system:node:n1', 'system:nodes'),
  otherNode: known('system:node:n2', 'system:nodes'),
  controller: account('replicaset-controller'),
  master: known('root', 'system:masters'),
} satisfies Record<string, User>;

type Person = keyof typeof people;

const roles = createTestRoles({
  bindings: ['view', 'edit', 'admin'].map((name) => ({
    metadata: { namespace: 'default', name },
    roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name },
    subjects: users(name),
  })),
});
const graph = createTestGraph(
  [
    ...['pods default/one', 'secrets default/one', 'configmaps default/one', 'serviceaccounts default/one'],
    ...['persistentvolumeclaims default/one', 'persistentvolumes one', 'volumeattachments one'],
  ].map((what) => `n1 ${what}`),
);
const authorizer = createAuthorizer({ graph, rbac: roles });

/** `n1` where a node's own object has its name. */
const nameOf = (resource: string): string =>
  ['nodes', 'leases', 'csinodes', 'namespaces'].includes(resource) ? 'n1' : 'one';

function attributesOf(user: User, verb: string, key: string, isNamespaced: boolean): Attributes {
  const [kind = '', subresource = ''] = key.split('/');
  const dot = kind.indexOf('.');
  const [resource, group] = dot < 0 ? [kind, ''] : [kind.slice(0, dot), kind.slice(dot + 1)];
  const isNamed = subresource !== '' || !unnamed.includes(verb);
  const name = kind === 'namespaces' ? 'default' : nameOf(resource);
  const isNode = user.groups.includes('system:nodes');
  const home = kind === 'leases.coordination.k8s.io' && isNode ? 'kube-node-lease' : 'default';
  // A request for a namespace is one in it.
  const namespace = isNamespaced ? home : kind === 'namespaces' && isNamed ? name : undefined;
  const what = { version: 'v1', group, resource, subresource, namespace, path: undefined };
  return { ...what, user, verb, name: isNamed ? name : undefined };
}

const keyOf = ({ group, resource }: ResourceType, subresource: string): string =>
  `${group === '' ? resource : `${resource}.${group}`}${subresource && `/${subresource}`}`;

const short: Readonly<Record<string, readonly string[]>> = { read, write, '-': [] };
const spelled = (text: string): string[] =>
  text
    .replace(/[()]/g, '')
    .split('+')
    .flatMap((word) => short[word] ?? [word]);
/** What is in brackets. */
const shared = (text: string): string[] =>
  [...text.matchAll(/\((.*?)\)/g)].flatMap(([, inner = '']) => spelled(inner));

function expectedOf(line: string): { key: string; may: Record<Person, readonly string[]> } {
  const [key = '', any = '', view = '', edit = '', admin = '', node = '', controller = '', ...more] =
    line.split(/ +/);
  if (controller === '' || more.length > 0) throw new Error(`not seven words: ${line}`);
  const all = spelled(any);
  const may = {
    nobody: [],
    any: all,
    view: [...all, ...spelled(view)],
    edit: [...all, ...spelled(edit)],
    admin: [...all, ...spelled(admin)],
    node: [...all, ...spelled(node)],
    otherNode: [...all, ...shared(node)],
    controller: [...all, ...spelled(controller)],
    master: verbs,
  };
  return { key, may };
}

const linesOf = (table: string): ReturnType<typeof expectedOf>[] =>
  table
    .split('\n')
    .filter((line) => line !== '')
    .map(expectedOf);

async function compare(
  { key, may }: ReturnType<typeof expectedOf>,
  isNamespaced: boolean,
): Promise<{ found: string[]; wanted: string[] }> {
  const found: string[] = [];
  const wanted: string[] = [];
  for (const [person, user] of Object.entries(people))
    for (const verb of verbs) {
      const { allowed } = await authorizer.authorize(attributesOf(user, verb, key, isNamespaced));
      if (allowed) found.push(`${person} ${verb} ${key}`);
      if (may[person as Person].includes(verb)) wanted.push(`${person} ${verb} ${key}`);
    }
  return { found, wanted };
}

const namespacedByKey = new Map<string, boolean>();
for (const { type, subresources } of createResources())
  for (const subresource of ['', ...subresources])
    namespacedByKey.set(keyOf(type, subresource), type.namespaced);
const lines = linesOf(expectedAccess);

t.test('every kind has its line, and only kinds have', async (t) => {
  t.same(lines.map(({ key }) => key).sort(), [...namespacedByKey.keys()].sort());
});

t.test('every kind and subresource, every verb, everybody', async (t) => {
  let questions = 0;
  for (const line of lines) {
    const { found, wanted } = await compare(line, namespacedByKey.get(line.key) ?? false);
    questions += verbs.length * Object.keys(people).length;
    t.same(found, wanted, line.key);
  }
  t.comment(`${questions} questions`);
});

t.test('what is named in rules but is no kind', async (t) => {
  const clusterWide =
    /^(?:users|groups|uids|userextras|signers|nodes|certificatesigningrequests|resourceslices)\b/;
  for (const line of linesOf(expectedWords)) {
    const { found, wanted } = await compare(line, !clusterWide.test(line.key));
    t.same(found, wanted, line.key);
  }
});

t.test('a binding in one namespace says nothing of others, nor of all', async (t) => {
  const allowed: string[] = [];
  for (const name of ['view', 'edit', 'admin'] as const)
    for (const namespace of ['other', undefined])
      for (const { key, may } of lines)
        for (const verb of verbs) {
          const request = { ...attributesOf(people[name], verb, key, true), namespace };
          const decision = await authorizer.authorize(request);
          if (decision.allowed && !may.any.includes(verb))
            allowed.push(`${name} ${verb} ${key} in ${namespace}`);
        }
  t.same(allowed, []);
});

t.test('paths', async (t) => {
  const asking: [User, readonly string[]][] = [
    [people.nobody, ['nobody']],
    [people.any, ['nobody', 'any']],
    [people.admin, ['nobody', 'any']],
    [people.node, ['nobody', 'any']],
    [people.controller, ['nobody', 'any', 'account']],
    [known('prometheus', 'system:monitoring'), ['nobody', 'any', 'monitor']],
    [people.master, ['nobody', 'any', 'account', 'monitor', 'master']],
  ];
  for (const [user, levels] of asking)
    for (const [path, level] of expectedPaths)
      for (const verb of ['get', 'post', 'put', 'delete']) {
        const { allowed } = await authorizer.authorize(pathAttributes(user, verb, path));
        const isWanted = levels.includes(level) && (verb === 'get' || user === people.master);
        t.equal(allowed, isWanted, `${user.name} ${verb} ${path}`);
      }
});
