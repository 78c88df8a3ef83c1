/** kubectl and access: roles are made, bound, asked about and reconciled. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { createMaster } from '../main.js';
import { parseMasterOptions } from '../options.js';

/** Every kubectl there is: the distribution's, and others that the environment names, separated by colons. */
const kubectls = ['kubectl', ...(process.env['WHERRY_TEST_KUBECTLS'] ?? '').split(':')].filter(
  (path) => path !== '',
);

const directory = await mkdtemp(join(tmpdir(), 'wherry-kubectl-access-'));
const kubeconfig = join(directory, 'admin.kubeconfig');
const probe = createServer().listen(0, '127.0.0.1');
await once(probe, 'listening');
const { port } = probe.address() as AddressInfo;
probe.close();
const flags = { dataDir: directory, bindAddress: '127.0.0.1', adminKubeconfig: kubeconfig };
const master = createMaster(
  { ...parseMasterOptions(flags), securePort: port },
  { clock: systemClock, log: silentLogger },
);

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Not `host/exec`: kubectl's stdin must be given, and its exit code is part of what is tested. */
function run(kubectl: string, line: string, input = ''): Promise<Ran> {
  return new Promise((resolve) => {
    const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: directory };
    const child = execFile(kubectl, line.split(' '), { env, timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

/** What it prints, once it prints something. */
async function eventually(kubectl: string, line: string): Promise<string> {
  for (let tries = 0; tries < 50; tries += 1) {
    const { stdout } = await run(kubectl, line);
    if (stdout !== '' && stdout !== '[]') return stdout;
  }
  return '';
}

t.setTimeout(180_000);
t.before(() => master.start(new AbortController().signal));
t.teardown(async () => {
  await master.stop();
  await rm(directory, { recursive: true });
});

const group = 'rbac.authorization.k8s.io';
const role = {
  apiVersion: `${group}/v1`,
  kind: 'ClusterRole',
  metadata: { name: 'kept' },
  rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }],
};
const binding = {
  apiVersion: `${group}/v1`,
  kind: 'RoleBinding',
  metadata: { name: 'kept', namespace: 'fresh' },
  roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'kept' },
  subjects: [{ kind: 'User', apiGroup: group, name: 'ann' }],
};

for (const kubectl of kubectls) {
  t.test(kubectl, async (t) => {
    const ok = async (line: string, input?: string): Promise<string> => {
      const { code, stdout, stderr } = await run(kubectl, line, input);
      t.equal(code, 0, `${line}: ${stderr}`);
      return stdout;
    };
    const can = async (line: string): Promise<string> =>
      (await run(kubectl, `auth can-i ${line}`)).stdout.trim();

    await ok('create role reader --verb=get,list --resource=pods,deployments.apps --resource-name=a');
    await ok('create role lister --verb=list --resource=pods,pods/log');
    await ok('create rolebinding ann --role=lister --user=ann --group=devs --serviceaccount=default:default');
    await ok('create clusterrole paths --verb=get --non-resource-url=/metrics,/logs/*');
    await ok('create clusterrolebinding ann --clusterrole=paths --user=ann');
    t.equal(await can('list pods --as=ann'), 'yes');
    t.equal(await can('list pods --as=x --as-group=devs'), 'yes');
    t.equal(await can('list pods --as=system:serviceaccount:default:default'), 'yes');
    t.equal(await can('get pods --subresource=log --as=ann'), 'no');
    t.equal(await can('list pods --as=ann -n kube-system'), 'no');
    t.equal(await can('list pods --as=ann --all-namespaces'), 'no');
    t.equal(await can('get /logs/today --as=ann'), 'yes');
    t.equal(await can('* * --all-namespaces'), 'yes');
    const list = await ok('auth can-i --list --as=ann');
    t.match(list, /^pods +\[\] +\[\] +\[list\]$/m);
    t.match(list, /^ +\[\/logs\/\*\] +\[\] +\[get\]$/m);
    t.match(list, /^selfsubjectaccessreviews.authorization.k8s.io .*\[create\]$/m);
    t.match(await ok('auth can-i --list'), /^\*\.\* +\[\] +\[\] +\[\*\]$/m);
    t.match(await run(kubectl, 'get nodes --as=ann'), {
      code: 1,
      stderr:
        /^Error from server \(Forbidden\): nodes is forbidden: User "ann" cannot list resource "nodes" in API group "" at the cluster scope$/m,
    });
    t.match(await run(kubectl, 'create rolebinding up --clusterrole=cluster-admin --user=ann --as=ann'), {
      code: 1,
      stderr: /cannot create resource "rolebindings"/,
    });
    t.match(await ok('describe role reader'), /deployments\.apps +\[\] +\[a\] +\[get list\]/);
    t.match(await ok('get rolebindings -o wide'), /^ann +Role\/lister +\S+ +ann +devs +default\/default$/m);

    await ok('create clusterrole all --aggregation-rule=team=x');
    await ok('create clusterrole part --verb=get --resource=nodes');
    await ok('label clusterrole part team=x');
    t.match(await eventually(kubectl, 'get clusterrole all -o jsonpath={.rules}'), /nodes/);

    const manifests = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [role, binding] });
    t.match(
      await ok('auth reconcile -f -', manifests),
      /clusterrole.rbac.authorization.k8s.io\/kept reconciled/,
    );
    t.equal(await can('get pods --as=ann -n fresh'), 'yes');
    const watching = { ...role, rules: [{ ...role.rules[0], verbs: ['watch'] }] };
    await ok('replace -f -', JSON.stringify(watching));
    await ok('auth reconcile -f -', manifests);
    t.equal(await can('watch pods --as=ann -n fresh'), 'yes', 'what is more stays');
    t.equal(await can('list pods --as=ann -n fresh'), 'yes');
    await ok('auth reconcile -f - --remove-extra-permissions', manifests);
    t.equal(await can('watch pods --as=ann -n fresh'), 'no');
    await ok('delete role reader lister');
    await ok('delete rolebinding ann');
    await ok('delete clusterrole paths all part kept');
    await ok('delete clusterrolebinding ann');
    await ok('delete namespace fresh');
  });
}
