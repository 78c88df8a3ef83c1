/** kubectl and access: roles are made, bound, asked about and reconciled. */
import t from 'tap';
import { kubectls, type Ran, startMaster } from '../../test/kubectl/runner.js';

const { run: runIn, stop } = await startMaster();
const run = (kubectl: string, line: string, input?: string): Promise<Ran> =>
  runIn(kubectl, line.split(' '), input);

/** What it prints, once it prints something. */
async function eventually(kubectl: string, line: string): Promise<string> {
  for (let tries = 0; tries < 50; tries += 1) {
    const { stdout } = await run(kubectl, line);
    if (stdout !== '' && stdout !== '[]') return stdout;
  }
  return '';
}

t.setTimeout(600_000);
t.teardown(stop);

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
    const node = '--as=system:node:n1 --as-group=system:nodes';
    t.equal(await can(`get nodes/n2 ${node}`), 'yes', 'it keeps the routes to the pods of all nodes');
    t.equal(
      await can(`get secrets/x ${node}`),
      "no - no relationship found between node 'n1' and this object",
    );
    t.match(await run(kubectl, `auth can-i --list ${node}`), {
      code: 0,
      stderr: /the list may be incomplete: node authorizer does not support user rule resolution/,
    });
    const self = await run(kubectl, 'auth whoami -o json --as=ann --as-group=devs');
    // kubectl 1.20 does not know the question.
    if (!/unknown (?:command|shorthand flag)/.test(self.stderr))
      t.match(JSON.parse(self.stdout), {
        status: { userInfo: { username: 'ann', groups: ['devs', 'system:authenticated'] } },
      });
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
