import { type Case, yaml } from './case.js';

const map = (data: object, labels = {}): string =>
  yaml({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm', labels }, data });

const deployment = (replicas: number, image: string): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'd' } },
    template: {
      metadata: { labels: { app: 'd' } },
      spec: { containers: [{ name: 'c', image, ports: [{ containerPort: 80 }] }] },
    },
  },
});

/** Client side and server side, with conflicts, force, prune, diff, replace, edit and the three patches. */
export const apply: Case[] = [
  { run: 'apply -f -', input: map({ a: '1', b: '2' }), prints: 'configmap/m created\n' },
  { run: 'apply -f -', input: map({ a: '1', b: '2' }), prints: 'configmap/m unchanged\n' },
  { run: 'patch configmap m -p {"data":{"c":"3"}}', prints: /patched/ },
  { run: 'apply -f -', input: map({ a: '1' }), prints: 'configmap/m configured\n' },
  { run: 'get configmap m -o jsonpath={.data}', prints: '{"a":"1","c":"3"}' },
  { run: 'diff -f -', input: map({ a: '9' }), exit: 1, prints: /^- +a: "1"\n\+ +a: "9"$/m },
  { run: 'diff -f -', input: map({ a: '1' }), prints: '' },
  { run: 'apply view-last-applied configmap/m -o json', prints: /"data": \{\s*"a": "1"\s*\}/ },
  {
    run: 'apply --dry-run=server -f -',
    input: map({ z: '1' }),
    prints: 'configmap/m configured (server dry run)\n',
  },
  { run: 'replace -f -', input: map({ only: 'x' }), prints: 'configmap/m replaced\n' },
  { run: 'get configmap m -o jsonpath={.data}', prints: '{"only":"x"}' },
  { run: 'replace --force -f -', input: map({ only: 'y' }), prints: /configmap\/m replaced/ },
  { run: 'delete configmap m', prints: 'configmap "m" deleted\n', until: 31 },
  { run: 'delete configmap m --ignore-not-found', prints: /^$|deleted/ },

  // Strategic merge: the list of containers merges by name.
  { run: 'apply -f -', input: yaml(deployment(1, 'nginx:1')), prints: 'deployment.apps/d created\n' },
  {
    run: 'patch deployment d -p {"spec":{"template":{"spec":{"containers":[{"name":"side","image":"busybox"}]}}}}',
    prints: 'deployment.apps/d patched\n',
  },
  {
    run: 'get deployment d -o jsonpath={.spec.template.spec.containers[*].name}',
    prints: /^(side c|c side)$/,
  },
  { run: 'apply -f -', input: yaml(deployment(1, 'nginx:2')), prints: 'deployment.apps/d configured\n' },
  {
    run: 'get deployment d -o jsonpath={.spec.template.spec.containers[?(@.name=="c")].image}',
    prints: 'nginx:2',
  },
  { run: 'patch deployment d --type=merge -p {"spec":{"replicas":2}}', prints: /patched/ },
  {
    run: 'patch deployment d --type=json -p [{"op":"replace","path":"/spec/replicas","value":0}]',
    prints: /patched/,
  },
  { run: 'get deployment d -o jsonpath={.spec.replicas}', prints: '0' },
  {
    run: 'patch deployment d --subresource=status --type=merge -p {"status":{"collisionCount":7}}',
    since: 24,
    prints: /patched/,
  },
  { run: 'delete deployment d', prints: /deleted/ },

  // Server-side apply.
  { run: 'apply --server-side -f -', input: map({ a: '1' }), prints: 'configmap/m serverside-applied\n' },
  { run: 'apply --server-side -f -', input: map({ a: '1' }), prints: 'configmap/m serverside-applied\n' },
  {
    run: 'apply --server-side --field-manager=other -f -',
    input: map({ a: '2' }),
    exit: 1,
    complains: /Apply failed with 1 conflict: conflict with "kubectl"[^:]*: \.data\.a/,
  },
  {
    run: 'apply --server-side --field-manager=other --force-conflicts -f -',
    input: map({ a: '2', b: '2' }),
    prints: 'configmap/m serverside-applied\n',
  },
  { run: 'apply --server-side -f -', input: map({}), prints: 'configmap/m serverside-applied\n' },
  { run: 'get configmap m -o jsonpath={.data}', prints: '{"a":"2","b":"2"}' },
  {
    run: 'apply --server-side --field-manager=other -f -',
    input: map({ b: '2' }),
    prints: /serverside-applied/,
  },
  { run: 'get configmap m -o jsonpath={.data}', prints: '{"b":"2"}' },
  {
    run: 'get configmap m -o yaml --show-managed-fields',
    since: 21,
    prints: /manager: other\n +operation: Apply/,
  },
  { run: 'get configmap m -o yaml', since: 21, prints: /^(?![\s\S]*managedFields)/ },
  {
    run: 'diff --server-side --field-manager=other -f -',
    input: map({ b: '3' }),
    exit: 1,
    prints: /^\+ +b: "3"$/m,
  },

  // Prune: what has the label and is not in the set goes.
  {
    run: 'apply --prune -l set=one --all -f -',
    input: map({ a: '1' }, { set: 'one' }),
    exit: 1,
    complains: /cannot set --all and --selector|conflict|exclusive/i,
  },
  {
    run: 'apply -f -',
    input: yaml({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'old', labels: { set: 'one' } } }),
    prints: /created/,
  },
  {
    run: 'apply --prune -l set=one --prune-whitelist=core/v1/ConfigMap -f -',
    until: 27,
    input: map({ a: '1' }, { set: 'one' }),
    prints: /configmap\/old pruned/,
  },
  {
    run: 'apply --prune -l set=one --prune-allowlist=core/v1/ConfigMap -f -',
    since: 28,
    input: map({ a: '1' }, { set: 'one' }),
    prints: /configmap\/old pruned/,
  },
  { run: 'get configmap old', exit: 1, complains: /not found/ },
  { run: 'delete configmap m', prints: /deleted/ },
  { run: 'create configmap own --from-literal=a=1', prints: /created/ },
  {
    run: 'patch configmap own --type json -p \'[{"op":"replace","path":"/data/b/c","value":"2"}]\'',
    exit: 1,
    complains: /replace operation does not apply: doc is missing path: "\/data\/b\/c"/,
  },
  { run: 'patch configmap own -p {"immutable":true}', prints: /patched/ },
  {
    run: 'patch configmap own -p {"data":{"a":"2"}}',
    exit: 1,
    complains: /data: Forbidden: field is immutable when `immutable` is set/,
  },
  { run: 'delete configmap own', prints: /deleted/ },
];
