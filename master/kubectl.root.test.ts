import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { kubectls, type Ran, startMaster } from '../test/kubectl/runner.js';

const manifest = fileURLToPath(new URL('../examples/nginx.yaml', import.meta.url)).replace('/dist/', '/');
const { run, stop } = await startMaster();

t.setTimeout(600_000);
t.teardown(stop);

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'one' },
  spec: { containers: [{ name: 'a', image: 'b' }] },
};

const named = { name: 'every', labels: { every: 'kind' } };
const selected = { labels: { app: 'every' } };

/** One object of every kind that users write. */
const everyKind = [
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: named, data: { a: 'b' } },
  { apiVersion: 'v1', kind: 'Secret', metadata: named, data: { a: 'Yg==' } },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: named },
  { apiVersion: 'v1', kind: 'Namespace', metadata: named },
  { apiVersion: 'v1', kind: 'Node', metadata: named },
  { apiVersion: 'v1', kind: 'Pod', metadata: named, spec: { containers: [{ name: 'a', image: 'b' }] } },
  { apiVersion: 'v1', kind: 'Service', metadata: named, spec: { type: 'NodePort', ports: [{ port: 80 }] } },
  { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: named, spec: { holderIdentity: 'a' } },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: named,
    spec: {
      replicas: 2,
      selector: { matchLabels: selected.labels },
      template: { metadata: selected, spec: { containers: [{ name: 'a', image: 'b' }] } },
    },
  },
];

/** What controllers do takes a moment: repeated until it prints this. */
async function soon(t: Test, kubectl: string, args: string, wanted: RegExp): Promise<void> {
  let ran = await run(kubectl, args.split(' '));
  for (let left = 100; left > 0 && !(ran.code === 0 && wanted.test(ran.stdout)); left -= 1)
    ran = await run(kubectl, args.split(' '));
  t.match(ran.stdout, wanted, `kubectl ${args}: ${ran.stderr}`);
}

for (const kubectl of kubectls) {
  t.test(`stock ${kubectl}`, async (t) => {
    /** Runs, expects success, and gives what was printed. */
    const ok = async (args: string, input?: string): Promise<string> => {
      const { code, stdout, stderr } = await run(kubectl, args.split(' '), input);
      t.equal(code, 0, `kubectl ${args}: ${stderr}`);
      return stdout;
    };
    const fails = async (args: string, input?: string): Promise<string> => {
      const { code, stderr } = await run(kubectl, args.split(' '), input);
      t.not(code, 0, `kubectl ${args}`);
      return stderr;
    };

    t.match(await ok('version'), /v1\.36\.4\+wherry/);
    t.match(await ok('api-resources'), /deployments +deploy +apps\/v1 +true +Deployment/);
    t.match(await ok('explain pod.spec.containers'), /image\t?\s*<string>/);
    t.match(await ok('get namespaces'), /NAME[\s\S]*kube-system/);
    t.match(await ok(`apply -f ${manifest}`), /deployment.apps\/nginx created\nservice\/nginx created/);
    t.match(await ok(`apply -f ${manifest}`), /deployment.apps\/nginx unchanged\nservice\/nginx unchanged/);
    t.match(await ok('describe deployment nginx'), /Replicas: +2 desired[\s\S]*Image: +nginx/);
    t.match(await ok('get deployments,services -o wide'), /deployment.apps\/nginx[\s\S]*service\/kubernetes/);
    t.match(await ok('scale deployment nginx --replicas=3'), /scaled/);
    t.equal(await ok('get deployment nginx -o jsonpath={.spec.replicas}'), '3');
    t.match(await ok('set image deployment/nginx nginx=nginx:2'), /image updated/);
    await soon(t, kubectl, 'rollout history deployment/nginx', /^2 /m);
    t.match(await ok('rollout undo deployment/nginx'), /rolled back/);
    t.match(await ok('rollout history deployment/nginx'), /REVISION/);
    t.match(await ok('rollout restart deployment/nginx'), /restarted/);
    t.match(await ok('create -f -', JSON.stringify(pod)), /pod\/one created/);
    t.match(await fails('create -f -', JSON.stringify(pod)), /pods "one" already exists/);
    t.match(await ok('create configmap made --from-literal=a=b'), /configmap\/made created/);
    t.equal(await ok('get configmap made -o jsonpath={.data.a}'), 'b');
    t.match(await ok('create deployment typed --image=nginx --replicas=0'), /deployment.apps\/typed created/);
    t.equal(await ok('get deployment typed -o jsonpath={.spec.replicas}'), '0');
    t.match(await ok('delete deployment/typed configmap/made'), /deleted/);
    t.match(await ok('label pod one a=b'), /labeled/);
    t.match(await ok('get pods -l a=b -o name'), /^pod\/one\n$/);
    t.match(await ok('get events'), /./);
    t.match(await fails('get pods nope'), /pods "nope" not found/);
    t.match(await fails('get nonsense'), /the server doesn't have a resource type "nonsense"/);
    const typo = { ...pod, metadata: { name: 'two' }, spec: { ...pod.spec, hostnam: 'x' } };
    t.match(
      await fails('create -f -', JSON.stringify(typo)),
      /unknown field "(?:io\.k8s\.api\.core\.v1\.Pod)?[Ss]pec\.hostnam"|unknown field "hostnam"/,
    );
    t.match(await ok('delete pod one --grace-period=0 --force'), /deleted/);
    t.match(
      await ok(`delete -f ${manifest}`),
      /deployment.apps "nginx" deleted[\s\S]*service "nginx" deleted/,
    );
    await soon(t, kubectl, 'get deployments,replicasets,pods -o name', /^$/);
    t.match(await ok('get --raw /readyz?verbose'), /readyz check passed/);
  });

  t.test(`every kind, with ${kubectl}`, async (t) => {
    const call = (args: string, input?: string): Promise<Ran> => run(kubectl, args.split(' '), input);
    const ok = async (args: string, input?: string): Promise<string> => {
      const { code, stdout, stderr } = await call(args, input);
      t.equal(code, 0, `kubectl ${args}: ${stderr}`);
      return stdout;
    };
    const items = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: everyKind });

    await ok('apply -f -', items);
    t.equal(await ok('diff -f -', items), '', 'what was applied is what is there');
    const changed = await call('diff -f -', items.replace('"replicas":2', '"replicas":1'));
    t.equal(changed.code, 1);
    t.match(changed.stdout, /^- {2}replicas: 2\n\+ {2}replicas: 1$/m);
    const targets = everyKind.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`).join(' ');
    const described = await ok(`describe ${targets}`);
    t.equal(described.match(/^Name: +every$/gm)?.length, everyKind.length);
    await ok(`label ${targets} color=red`);
    await ok(`annotate ${targets} note=x`);
    const notes = `get ${targets} -o jsonpath={.items[*].metadata.labels.color},{.items[*].metadata.annotations.note}`;
    t.match(await ok(notes), /^red( red)*,x( x)*$/);
    for (const { kind } of everyKind) {
      await ok(`patch ${kind} every --type=merge -p {"metadata":{"labels":{"color":null}}}`);
      await ok(`patch ${kind} every --type=json -p [{"op":"remove","path":"/metadata/annotations/note"}]`);
    }
    t.equal(await ok(notes), ',');
    await ok('wait --for=condition=Progressing deployment/every --timeout=60s');
    const scaled = 'get events --field-selector involvedObject.name=every,reason=ScalingReplicaSet';
    await soon(t, kubectl, scaled, /deployment\/every +Scaled up replica set/);
    t.match(await ok('describe deployment every'), /Events:[\s\S]*ScalingReplicaSet/);
    await soon(t, kubectl, 'get pods -l app=every -o name', /^(pod\/\S+\n){2}$/);
    const all = (await ok('get configmaps -A -o name')).split('\n').sort();
    t.same((await ok('get configmaps -A -o name --chunk-size=2')).split('\n').sort(), all);

    await ok('delete deployment every --cascade=orphan');
    const orphans = (await ok('get replicasets,pods -l app=every -o name')).trim().split('\n');
    t.equal(orphans.length, 3, 'a replica set and two pods are left');
    await ok('delete replicasets -l app=every --cascade=foreground');
    await soon(t, kubectl, 'get replicasets,pods -l app=every -o name', /^$/);
    await ok('delete --ignore-not-found -f -', items);
    await soon(t, kubectl, 'get all -l every=kind -o name', /^$/);
  });
}
