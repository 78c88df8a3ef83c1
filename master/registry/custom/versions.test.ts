/** Versions of custom kinds, without conversion and with a webhook of its own. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { CustomResourceDefinition, KubeObject } from '../../../src/api/types.js';
import type { TestServer } from '../../http/testing.js';
import { crontab, crontabs, define, definitions, instance, merge, start, until, version } from './testing.js';
import { compareVersions } from './versions.js';

t.test('versions of a group are in the order of Kubernetes, whoever brought them', async (t) => {
  const names = ['v10alpha1', 'foo', 'v1', 'v11beta2', 'v3beta1', 'v2', 'bar', 'v12alpha1', 'v10'];
  const wanted = ['v10', 'v2', 'v1', 'v11beta2', 'v3beta1', 'v12alpha1', 'v10alpha1', 'bar', 'foo'];
  t.same(names.sort(compareVersions), wanted);
  const server = await start(t);
  const { ask } = server;
  const early = crontab({ names: { plural: 'rafts', kind: 'Raft' } }, [
    { ...version('v1beta1'), storage: true },
  ]);
  await define(server, { ...early, metadata: { name: 'rafts.stable.example.com' } });
  await define(server, crontab());
  t.match((await ask('GET', '/apis/stable.example.com')).json(), {
    preferredVersion: { version: 'v1' },
    versions: [{ version: 'v1' }, { version: 'v1beta1' }],
  });
});

t.test('versions without conversion differ in their name, and old ones stay readable', async (t) => {
  const server = await start(t);
  const { ask } = server;
  const beta = version('v1beta1', { deprecated: true });
  await define(server, crontab({}, [version('v1'), beta]));
  const betas = crontabs.replace('/v1/', '/v1beta1/');
  const created = await ask('POST', betas, { body: instance('a', { cronSpec: '*' }, 'v1beta1') });
  t.equal(created.json()['apiVersion'], 'stable.example.com/v1beta1');
  t.match(created.headers.warning, /stable.example.com\/v1beta1 CronTab is deprecated/);
  t.equal((await ask('GET', `${crontabs}/a`)).json()['apiVersion'], 'stable.example.com/v1');

  const path = `${definitions}/crontabs.stable.example.com`;
  const moved = crontab({}, [
    { ...version('v1'), storage: false },
    { ...beta, storage: true },
  ]) as CustomResourceDefinition;
  t.equal((await ask('PATCH', path, { headers: merge, body: { spec: moved.spec } })).code, 200);
  await until(
    async () =>
      (await ask('GET', path)).json<CustomResourceDefinition>().status?.storedVersions?.length === 2,
  );
  await until(
    async () => (await ask('GET', `${betas}/a`)).json()['apiVersion'] === 'stable.example.com/v1beta1',
  );
  for (const served of ['v1', 'v1beta1'])
    t.match(
      (await ask('GET', `/apis/stable.example.com/${served}`)).json(),
      { resources: [{ name: 'crontabs', storageVersionHash: '0ocZBpkKvos=' }] },
      'of v1beta1, in which it is stored now',
    );
  await ask('POST', crontabs, { body: instance('b') });
  for (const [url, wanted] of [
    [crontabs, 'v1'],
    [betas, 'v1beta1'],
  ] as const) {
    const { items } = (await ask('GET', url)).json<{ items: KubeObject[] }>();
    t.same(
      items.map((one) => `${one.apiVersion} ${one.metadata.name}`),
      ['a', 'b'].map((name) => `stable.example.com/${wanted} ${name}`),
    );
  }
});

interface Hook {
  url: string;
  requests: { objects: KubeObject[]; desiredAPIVersion: string }[];
  /** Replaces the answer. */
  answer: ((review: { request: { uid: string } }) => object) | undefined;
}

/** v1 has `spec.host` and `spec.port` where v1alpha1 has `spec.hostPort`. */
function convert(object: KubeObject & { spec?: Record<string, unknown> }, apiVersion: string): KubeObject {
  const { hostPort, host, port, ...spec } = object.spec ?? {};
  const split = String(hostPort).split(':');
  const next = apiVersion.endsWith('/v1')
    ? { host: split[0], port: split[1] }
    : { hostPort: `${host}:${port}` };
  return { ...object, apiVersion, spec: { ...spec, ...next } } as KubeObject;
}

async function startHook(t: Test, server: TestServer): Promise<Hook> {
  const hook: Hook = { url: '', requests: [], answer: undefined };
  const { cert, key } = server.certificates.server;
  const listener = createServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const review = JSON.parse(Buffer.concat(chunks).toString()) as {
        request: { uid: string; objects: KubeObject[]; desiredAPIVersion: string };
      };
      hook.requests.push(review.request);
      const { uid, objects, desiredAPIVersion } = review.request;
      const convertedObjects = objects.map((object) => convert(object, desiredAPIVersion));
      const body = hook.answer?.(review) ?? {
        ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview' },
        response: { uid, convertedObjects, result: { status: 'Success' } },
      };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    listener.closeAllConnections();
    listener.close();
  });
  hook.url = `https://127.0.0.1:${(listener.address() as AddressInfo).port}/convert`;
  return hook;
}

t.test('a default that comes later shows in what is stored already', async (t) => {
  const server = await start(t);
  const { ask } = server;
  await define(server, crontab());
  await ask('POST', crontabs, { body: instance('a') });
  const path = `${definitions}/crontabs.stable.example.com`;
  const add = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/late';
  const body = [{ op: 'add', path: add, value: { type: 'string', default: 'now' } }];
  await ask('PATCH', path, { headers: { 'content-type': 'application/json-patch+json' }, body });
  await until(async () => (await ask('GET', `${crontabs}/a`)).text.includes('"late":"now"'));
  t.match((await ask('GET', crontabs)).json(), { items: [{ spec: { late: 'now' } }] });
  const patched = await ask('PATCH', `${crontabs}/a`, { headers: merge, body: { spec: { image: 'x' } } });
  t.match(patched.json(), { spec: { late: 'now', image: 'x' } });
});

t.test('a webhook converts, in batches, and its failures are told', async (t) => {
  const server = await start(t);
  const { ask } = server;
  const hook = await startHook(t, server);
  const schemaOf = (...names: string[]): object => ({
    openAPIV3Schema: {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
        },
      },
    },
  });
  const plain = { subresources: {}, selectableFields: [] };
  const versions = [
    version('v1', { ...plain, schema: schemaOf('host', 'port') }),
    version('v1alpha1', { ...plain, schema: schemaOf('hostPort') }),
  ];
  const clientConfig = { url: hook.url, caBundle: Buffer.from(server.certificates.ca).toString('base64') };
  const webhook = { clientConfig, conversionReviewVersions: ['v1', 'v1beta1'] };
  await define(server, crontab({ conversion: { strategy: 'Webhook', webhook } }, versions));
  const alphas = crontabs.replace('/v1/', '/v1alpha1/');
  const created = await ask('POST', alphas, { body: instance('a', { hostPort: 'x:1' }, 'v1alpha1') });
  t.match(created.json(), { apiVersion: 'stable.example.com/v1alpha1', spec: { hostPort: 'x:1' } });
  t.same((await ask('GET', `${crontabs}/a`)).json()['spec'], { host: 'x', port: '1' });
  await ask('POST', crontabs, { body: instance('b', { host: 'y', port: '2' }) });
  hook.requests.length = 0;
  const { items } = (await ask('GET', alphas)).json<{ items: { spec: object }[] }>();
  t.same(
    items.map(({ spec }) => spec),
    [{ hostPort: 'x:1' }, { hostPort: 'y:2' }],
  );
  t.same(
    hook.requests.map(({ objects }) => objects.length),
    [2],
    'one call for the whole list',
  );
  const patched = await ask('PATCH', `${alphas}/b`, { headers: merge, body: { spec: { hostPort: 'z:3' } } });
  t.same(patched.json()['spec'], { hostPort: 'z:3' });
  t.same((await ask('GET', `${crontabs}/b`)).json()['spec'], { host: 'z', port: '3' });

  hook.answer = ({ request }) => ({
    ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview' },
    response: { uid: request.uid, result: { status: 'Failure', message: 'cannot do that' } },
  });
  const failed = await ask('GET', `${alphas}/a`);
  t.equal(failed.code, 500);
  t.match(failed.text, /conversion webhook for stable.example.com\/v1, Kind=CronTab failed: cannot do that/);
  t.equal((await ask('GET', `${crontabs}/a`)).code, 200, 'what is stored needs no conversion');
  const lies: Record<string, (objects: KubeObject[]) => unknown> = {
    'failed: response.convertedObjects is no list': () => ({ length: 1 }),
    'returned invalid metadata in object at index 0: labels is no map of strings': ([object]) => [
      {
        ...object,
        apiVersion: 'stable.example.com/v1alpha1',
        metadata: { ...object?.metadata, labels: { a: 1 } },
      },
    ],
    'must have the same UID': ([object]) => [
      {
        ...object,
        apiVersion: 'stable.example.com/v1alpha1',
        metadata: { ...object?.metadata, uid: 'other' },
      },
    ],
  };
  for (const [told, lie] of Object.entries(lies)) {
    hook.answer = ({ request }) => ({
      ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview' },
      response: {
        ...{ uid: request.uid, result: { status: 'Success' } },
        convertedObjects: lie(hook.requests.at(-1)?.objects ?? []),
      },
    });
    const { code, text } = await ask('GET', `${alphas}/a`);
    t.equal(code, 500);
    t.ok(
      text.includes('conversion webhook for stable.example.com/v1, Kind=CronTab ') && text.includes(told),
      text,
    );
  }
  hook.answer = () => ({ kind: 'Nothing' });
  t.match(
    (await ask('GET', `${alphas}/a`)).text,
    /expected webhook response of apiextensions.k8s.io\/v1, Kind=ConversionReview/,
  );
});
