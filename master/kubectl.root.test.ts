import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { systemClock } from '../src/host/clock.js';
import { silentLogger } from '../src/host/log.js';
import { createMaster } from './main.js';
import { parseMasterOptions } from './options.js';

/** Every kubectl there is: the distribution's, and others that the environment names, separated by colons. */
const kubectls = ['kubectl', ...(process.env['WHERRY_TEST_KUBECTLS'] ?? '').split(':')].filter(
  (path) => path !== '',
);

const directory = await mkdtemp(join(tmpdir(), 'wherry-kubectl-'));
const kubeconfig = join(directory, 'admin.kubeconfig');
const manifest = fileURLToPath(new URL('../examples/nginx.yaml', import.meta.url)).replace('/dist/', '/');

const probe = createServer().listen(0, '127.0.0.1');
await once(probe, 'listening');
const { port } = probe.address() as AddressInfo;
probe.close();

const master = createMaster(
  {
    ...parseMasterOptions({ dataDir: directory, bindAddress: '127.0.0.1', adminKubeconfig: kubeconfig }),
    securePort: port,
  },
  { clock: systemClock, log: silentLogger },
);

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Not `host/exec`: kubectl's stdin must be given, and its exit code is part of what is tested. */
function run(kubectl: string, args: readonly string[], input = ''): Promise<Ran> {
  return new Promise((resolve) => {
    const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: directory };
    const child = execFile(kubectl, [...args], { env, timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

t.before(() => master.start(new AbortController().signal));
t.teardown(async () => {
  await master.stop();
  await rm(directory, { recursive: true });
});

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'one' },
  spec: { containers: [{ name: 'a', image: 'b' }] },
};

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
    t.equal(await ok('get deployments,replicasets -o name'), '', 'the foreground is clean');
    t.match(await ok('get --raw /readyz?verbose'), /readyz check passed/);
  });
}
