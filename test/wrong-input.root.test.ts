/** Wrong input through stock kubectl and plain HTTPS: each answer names the field in kube-apiserver's words, and nothing is stored. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Agent, request } from 'undici';
import type { Status } from '../src/api/errors.js';
import { type Cluster, startCluster } from './cluster.js';
import { eventually } from './wait.js';

interface Case {
  name: string;
  path: string;
  body: unknown;
  code: number;
  message: RegExp;
  /** The cause that has to name it, also where the message does not. */
  field?: string;
}

const pod = (spec: object, name = 'wrong'): unknown => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec,
});
const container = (more: object = {}): object => ({ name: 'main', image: 'nginx', ...more });
const pods = '/api/v1/namespaces/default/pods';
const deployment = (more: object = {}): unknown => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'wrong' },
  spec: {
    selector: { matchLabels: { app: 'wrong' } },
    template: { metadata: { labels: { app: 'wrong' } }, spec: { containers: [container(more)] } },
  },
});

const cases: readonly Case[] = [
  {
    name: 'unknown field, strict',
    path: `${pods}?fieldValidation=Strict`,
    body: pod({ containers: [container()], foo: 1 }),
    code: 400,
    message: /strict decoding error: unknown field "spec\.foo"/,
  },
  {
    name: 'bad quantity',
    path: pods,
    body: pod({ containers: [container({ resources: { limits: { memory: '12Zx' } } })] }),
    code: 400,
    message: /limits\.memory: quantities must match the regular expression/,
    field: 'spec.containers[0].resources.limits.memory',
  },
  {
    name: 'bad quantity, in a deployment',
    path: '/apis/apps/v1/namespaces/default/deployments',
    body: deployment({ resources: { requests: { cpu: 'much' } } }),
    code: 400,
    message: /quantities must match the regular expression/,
    field: 'spec.template.spec.containers[0].resources.requests.cpu',
  },
  {
    name: 'missing image, in a deployment',
    path: '/apis/apps/v1/namespaces/default/deployments',
    body: deployment({ image: undefined }),
    code: 422,
    message: /spec\.template\.spec\.containers\[0\]\.image: Required value/,
    field: 'spec.template.spec.containers[0].image',
  },
  {
    name: 'two containers of one name',
    path: pods,
    body: pod({ containers: [container(), container()] }),
    code: 422,
    message: /spec\.containers\[1\]\.name: Duplicate value: "main"/,
    field: 'spec.containers[1].name',
  },
  {
    name: 'bad name',
    path: pods,
    body: pod({ containers: [container()] }, 'Not_A_Name'),
    code: 422,
    message: /metadata\.name: Invalid value: "Not_A_Name": a lowercase RFC 1123 subdomain must consist of/,
  },
  {
    name: 'missing image',
    path: pods,
    body: pod({ containers: [{ name: 'main' }] }),
    code: 422,
    message: /spec\.containers\[0\]\.image: Required value/,
  },
  {
    name: 'no containers',
    path: pods,
    body: pod({ containers: [] }),
    code: 422,
    message: /spec\.containers: Required value/,
  },
  {
    name: 'port out of range',
    path: pods,
    body: pod({ containers: [container({ ports: [{ containerPort: 70000 }] })] }),
    code: 422,
    message:
      /spec\.containers\[0\]\.ports\[0\]\.containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive/,
  },
  {
    name: 'node port out of range',
    path: '/api/v1/namespaces/default/services',
    body: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'wrong' },
      spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] },
    },
    code: 422,
    message:
      /spec\.ports\[0\]\.nodePort: Invalid value: 80: provided port is not in the valid range\. The range of valid ports is 30000-32767/,
  },
  {
    name: 'request above limit',
    path: pods,
    body: pod({ containers: [container({ resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } })] }),
    code: 422,
    message:
      /spec\.containers\[0\]\.resources\.requests: Invalid value: "2": must be less than or equal to cpu limit/,
  },
  {
    name: 'wrong type',
    path: pods,
    body: pod({ containers: 'nginx' }),
    code: 400,
    message: /cannot unmarshal|json/,
  },
  {
    name: 'selector does not match',
    path: '/apis/apps/v1/namespaces/default/deployments',
    body: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'wrong' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'c' } }, spec: { containers: [container()] } },
      },
    },
    code: 422,
    message: /spec\.template\.metadata\.labels: Invalid value: .*`selector` does not match template `labels`/,
  },
  {
    name: 'namespace that is not there',
    path: '/api/v1/namespaces/nowhere/pods',
    body: pod({ containers: [container()] }),
    code: 404,
    message: /namespaces "nowhere" not found/,
  },
];

async function send(
  cluster: Cluster,
  path: string,
  body: string,
  headers: Record<string, string>,
): Promise<{ code: number; status: Status }> {
  const token =
    headers['authorization'] ??
    `Bearer ${readFileSync(join(cluster.dir, 'master/admin.token'), 'utf8').trim()}`;
  const ca = readFileSync(join(cluster.dir, 'master/pki/ca.crt'), 'utf8');
  const answer = await request(`https://${cluster.nodeIp}:6443${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers, authorization: token },
    body,
    dispatcher: new Agent({ connect: { ca } }),
  });
  return { code: answer.statusCode, status: (await answer.body.json()) as Status };
}

t.test('wrong input', { timeout: 600_000 }, async (t) => {
  const cluster = await startCluster({ name: 'input' });
  t.teardown(() => cluster.stop());

  for (const { name, path, body, code, message, field } of cases) {
    const answer = await send(cluster, path, JSON.stringify(body), {});
    t.equal(answer.code, code, name);
    t.match(answer.status, { kind: 'Status', status: 'Failure', code, message }, name);
    if (field) t.match(answer.status.details?.causes, [{ field }], `${name}: the field`);
  }

  t.match(
    await send(cluster, pods, '{"kind":', {}),
    { code: 400, status: { kind: 'Status', reason: 'BadRequest' } },
    'malformed JSON',
  );
  t.match(
    await send(cluster, pods, 'a: b: c', { 'content-type': 'application/yaml' }),
    { code: 400, status: { kind: 'Status', reason: 'BadRequest' } },
    'malformed YAML',
  );
  t.match(
    await send(cluster, pods, `"${'x'.repeat(3 * 1024 * 1024)}"`, {}),
    { code: 413, status: { kind: 'Status', reason: 'RequestEntityTooLarge' } },
    'a body over 3 MB',
  );
  t.match(
    await send(cluster, pods, '{}', { authorization: 'Bearer wrong' }),
    { code: 401, status: { kind: 'Status', reason: 'Unauthorized' } },
    'a wrong token',
  );
  t.match(
    await send(cluster, pods, '{}', { authorization: '' }),
    { code: 401, status: { kind: 'Status', reason: 'Unauthorized' } },
    'no token',
  );
  t.equal(await cluster.kubectl('get', 'pods', '-o', 'name'), '', 'nothing of it was stored');

  await t.test('immutable fields', { timeout: 120_000 }, async (t) => {
    await cluster.kubectl('create', 'configmap', 'frozen', '--from-literal=a=b');
    const patch = (spec: object): string => JSON.stringify(spec);
    await cluster.kubectl('patch', 'configmap', 'frozen', '-p', patch({ immutable: true }));
    const refused = await cluster.tryKubectl([
      'patch',
      'configmap',
      'frozen',
      '-p',
      patch({ data: { a: 'c' } }),
    ]);
    t.match(refused.stderr, /data: Forbidden: field is immutable when `immutable` is set/);
    await cluster.tryKubectl(['apply', '-f', '-'], JSON.stringify(deployment()));
    const selected = { selector: { matchLabels: { app: 'other' } } };
    const template = { metadata: { labels: { app: 'other' } } };
    const reselected = patch({ spec: { ...selected, template } });
    const kept = await cluster.tryKubectl(['patch', 'deployment', 'wrong', '-p', reselected]);
    t.match(
      kept.stderr,
      /The Deployment "wrong" is invalid: spec\.selector: Invalid value: .*: field is immutable/,
    );
    await cluster.kubectl('delete', 'deployment', 'wrong');
    await cluster.tryKubectl(
      ['apply', '-f', '-'],
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'fixed' },
        spec: { ports: [{ port: 80 }] },
      }),
    );
    const moved = await cluster.tryKubectl([
      'patch',
      'service',
      'fixed',
      '-p',
      patch({ spec: { clusterIP: '10.96.200.200' } }),
    ]);
    t.match(
      moved.stderr,
      /spec\.clusterIPs?(\[0\])?: Invalid value: .*(may not change once set|field is immutable)/,
    );
  });

  await t.test('an image that cannot be pulled', { timeout: 240_000 }, async () => {
    await cluster.kubectl('run', 'nopull', '--image=127.0.0.1:1/no/such:image');
    await cluster.kubectl(
      'wait',
      '--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ImagePullBackOff',
      'pod/nopull',
      '--timeout=60s',
    );
    const words = [
      /Failed to pull image "127\.0\.0\.1:1\/no\/such:image"/,
      /ErrImagePull/,
      // The runtime's own.
      /connection refused/,
    ];
    await eventually('its events', 60, async () => {
      const described = await cluster.kubectl('describe', 'pod', 'nopull');
      return words.every((word) => word.test(described));
    });
  });
});
