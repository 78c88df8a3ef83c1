/** Custom kinds over HTTPS: a test server, the controllers, and where it matters a conversion webhook of its own. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { CustomResourceDefinition, KubeObject } from '../../../src/api/types.js';
import { createInformers } from '../../../src/client/informers.js';
import { systemClock } from '../../../src/host/clock.js';
import { silentLogger } from '../../../src/host/log.js';
import { createCaller } from '../../aggregation/caller.js';
import { createControllers } from '../../controllers/index.js';
import { type Answered, createTestServer, type TestServer } from '../../http/testing.js';
import { servedTypes } from '../../resources/followed.js';
import { createRegistryClient } from '../client.js';
import { createConversion } from './review.js';
import { createCustomKinds } from './serving.js';

const admin = { name: 'admin', groups: ['system:masters'] };
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const crontabs = '/apis/stable.example.com/v1/namespaces/default/crontabs';

/** A server whose definitions are served, until the test ends. */
async function start(t: Test): Promise<TestServer> {
  const server = await createTestServer();
  const client = createRegistryClient(server.registry, admin);
  const caller = createCaller({ client, clock: systemClock });
  const newUid = (): string => 'a-review';
  const { resources } = server.registry;
  const customKinds = createCustomKinds({
    resources,
    client,
    conversion: (definition) => createConversion({ caller, newUid }, definition),
  });
  const informers = createInformers({ client, clock: systemClock, log: silentLogger });
  const controllers = createControllers({
    ...{ client, informers, clock: systemClock, log: silentLogger },
    options: { clusterCidr: '10.244.0.0/16', caPem: '', types: servedTypes(resources), customKinds },
  });
  const signal = new AbortController().signal;
  await informers.start(signal);
  await controllers.start(signal);
  t.teardown(async () => {
    await controllers.stop();
    await informers.stop();
    caller.close();
    await server.close();
  });
  return server;
}

const version = (name: string, more: object = {}): object => ({
  ...{ name, served: true, storage: name === 'v1' },
  schema: {
    openAPIV3Schema: {
      type: 'object',
      description: 'Runs things.',
      properties: {
        spec: {
          type: 'object',
          required: ['cronSpec'],
          properties: {
            cronSpec: { type: 'string', description: 'When.' },
            image: { type: 'string', default: 'busybox' },
            replicas: { type: 'integer', minimum: 1, maximum: 10 },
          },
          'x-kubernetes-validations': [{ rule: "self.image != 'bad'", message: 'not that image' }],
        },
        status: { type: 'object', properties: { replicas: { type: 'integer' } } },
      },
    },
  },
  subresources: {
    status: {},
    scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
  },
  additionalPrinterColumns: [
    { name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec' },
    { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas', priority: 1 },
  ],
  selectableFields: [{ jsonPath: '.spec.image' }],
  ...more,
});

const crontab = (more: object = {}, versions: object[] = [version('v1')]): object => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'crontabs.stable.example.com' },
  spec: {
    ...{ group: 'stable.example.com', scope: 'Namespaced', versions },
    names: { plural: 'crontabs', kind: 'CronTab', shortNames: ['ct'] },
    ...more,
  },
});

const instance = (name: string, spec: object = { cronSpec: '* * *' }, apiVersion = 'v1'): object => ({
  apiVersion: `stable.example.com/${apiVersion}`,
  kind: 'CronTab',
  metadata: { name },
  spec,
});

const never = new AbortController().signal;

async function until(read: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (await read()) return;
    await systemClock.sleep(10, never);
  }
  throw new Error('that never came');
}

const conditionOf = (answer: Answered, type: string): string | undefined =>
  answer.json<CustomResourceDefinition>().status?.conditions?.find((one) => one.type === type)?.status;

async function define(server: TestServer, definition: object): Promise<void> {
  const created = await server.ask('POST', definitions, { body: definition });
  if (created.code !== 201) throw new Error(created.text);
  const { name = '' } = created.json<KubeObject>().metadata;
  await until(
    async () => conditionOf(await server.ask('GET', `${definitions}/${name}`), 'Established') === 'True',
  );
}

const merge = { 'content-type': 'application/merge-patch+json' };

t.test('a definition is served, with everything it asks for', async (t) => {
  const server = await start(t);
  const { ask } = server;
  await define(server, crontab());
  const created = await ask('POST', crontabs, {
    body: instance('a', { cronSpec: '* *', extra: 1, replicas: 2 }),
  });
  t.equal(created.code, 201);
  t.same(created.json()['spec'], { cronSpec: '* *', replicas: 2, image: 'busybox' });
  t.match(created.headers.warning, /unknown field \\"spec.extra\\"/);
  const strict = `${crontabs}?fieldValidation=Strict`;
  t.match(
    (await ask('POST', strict, { body: instance('b', { extra: 1 }) })).text,
    /unknown field \\"spec.extra\\"/,
  );
  const refused = await ask('POST', crontabs, { body: instance('b', { cronSpec: 1, replicas: 11 }) });
  t.match(refused.json(), {
    code: 422,
    reason: 'Invalid',
    details: {
      kind: 'CronTab',
      group: 'stable.example.com',
      causes: [{ field: 'spec.cronSpec' }, { field: 'spec.replicas' }, {}],
    },
  });
  const ruled = await ask('POST', crontabs, { body: instance('b', { cronSpec: '*', image: 'bad' }) });
  t.match(ruled.json(), {
    message: 'CronTab.stable.example.com "b" is invalid: spec: Invalid value: not that image',
  });

  const patched = await ask('PATCH', `${crontabs}/a`, {
    headers: merge,
    body: { spec: { image: 'x' }, status: { replicas: 9 } },
  });
  t.match(patched.json(), { metadata: { generation: 2 }, spec: { image: 'x' } });
  t.notOk(patched.json()['status']);
  const status = await ask('PATCH', `${crontabs}/a/status`, {
    headers: merge,
    body: { status: { replicas: 2 }, spec: { image: 'y' } },
  });
  t.match(status.json(), { metadata: { generation: 2 }, spec: { image: 'x' }, status: { replicas: 2 } });
  const strategic = { 'content-type': 'application/strategic-merge-patch+json' };
  t.equal((await ask('PATCH', `${crontabs}/a`, { headers: strategic, body: {} })).code, 415);
  t.equal((await ask('PUT', `${crontabs}/a`, { body: instance('a') })).code, 422, 'no blind update');

  const scale = await ask('GET', `${crontabs}/a/scale`);
  t.match(scale.json(), { kind: 'Scale', spec: { replicas: 2 }, status: { replicas: 2 } });
  const scaled = await ask('PATCH', `${crontabs}/a/scale`, {
    headers: merge,
    body: { spec: { replicas: 5 } },
  });
  t.match(scaled.json(), { spec: { replicas: 5 } });
  t.match((await ask('GET', `${crontabs}/a`)).json(), { metadata: { generation: 3 }, spec: { replicas: 5 } });

  await ask('POST', crontabs, { body: instance('c') });
  const namesOf = async (query: string): Promise<string[]> =>
    (await ask('GET', `${crontabs}${query}`))
      .json<{ items: KubeObject[] }>()
      .items.map((one) => one.metadata.name ?? '');
  t.same(await namesOf('?fieldSelector=spec.image%3Dx'), ['a']);
  t.same(await namesOf('?limit=1'), ['a']);
  t.equal((await ask('GET', `${crontabs}?fieldSelector=spec.other%3Dx`)).code, 400);
  t.match((await ask('GET', crontabs)).json(), { kind: 'CronTabList', apiVersion: 'stable.example.com/v1' });
  const table = await ask('GET', crontabs, {
    headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
  });
  t.match(table.json(), {
    columnDefinitions: [{ name: 'Name' }, { name: 'Spec' }, { name: 'Replicas', priority: 1 }],
    rows: [{ cells: ['a', '* *', 5] }, { cells: ['c', '* * *', null] }],
  });
  t.equal((await ask('DELETE', `${crontabs}?labelSelector=a`)).code, 200);
  t.equal((await ask('DELETE', `${crontabs}/c`)).code, 200);
});

t.test('discovery and OpenAPI know the kind, and forget it', async (t) => {
  const server = await start(t);
  const { ask } = server;
  await define(server, crontab());
  t.match((await ask('GET', '/apis/stable.example.com/v1')).json(), {
    resources: [
      { name: 'crontabs', singularName: 'crontab', shortNames: ['ct'], kind: 'CronTab' },
      { name: 'crontabs/status' },
      { name: 'crontabs/scale', group: 'autoscaling', kind: 'Scale' },
    ],
  });
  const v3 = (await ask('GET', '/openapi/v3/apis/stable.example.com/v1')).json<{
    components: { schemas: Record<string, object> };
  }>();
  t.match(v3.components.schemas['com.example.stable.v1.CronTab'], {
    description: 'Runs things.',
    properties: {
      spec: { properties: { cronSpec: { type: 'string', description: 'When.' } } },
      metadata: { allOf: [{}] },
    },
    'x-kubernetes-group-version-kind': [{ group: 'stable.example.com', kind: 'CronTab', version: 'v1' }],
  });
  t.ok(v3.components.schemas['com.example.stable.v1.CronTabList']);
  const indexBefore = (await ask('GET', '/openapi/v3')).text;
  const v2 = (await ask('GET', '/openapi/v2')).json<{ definitions: Record<string, object> }>();
  t.match(v2.definitions['com.example.stable.v1.CronTab'], {
    properties: { spec: { required: ['cronSpec'] } },
  });

  const name = `${definitions}/crontabs.stable.example.com`;
  const described = [
    { op: 'replace', path: '/spec/versions/0/schema/openAPIV3Schema/description', value: 'New.' },
  ];
  const patch = { headers: { 'content-type': 'application/json-patch+json' }, body: described };
  t.equal((await ask('PATCH', name, patch)).code, 200);
  await until(async () => (await ask('GET', '/openapi/v3')).text !== indexBefore);
  t.match((await ask('GET', '/openapi/v3/apis/stable.example.com/v1')).text, /"description":"New."/);
  await ask('DELETE', name);
  await until(async () => (await ask('GET', '/apis/stable.example.com')).code === 404);
  t.equal((await ask('GET', crontabs)).code, 404);
});

t.test('a definition that is not sound is refused with every reason', async (t) => {
  const { ask } = await start(t);
  const causes = async (definition: object): Promise<string[]> => {
    const answer = (await ask('POST', definitions, { body: definition })).json<{
      details?: { causes: { field: string; message: string }[] };
    }>();
    return (answer.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
  };
  const versions = [version('v1'), { ...version('v2'), storage: true }];
  t.same(
    await causes(crontab({}, versions)).then((all) =>
      all.map((one) => one.replace(/Invalid value: \[.*\]: /s, '')),
    ),
    ['spec.versions: must have exactly one version marked as storage version'],
  );
  t.same(await causes(crontab({ scope: 'Some', group: 'nodots' })), [
    'metadata.name: Invalid value: "crontabs.stable.example.com": must be spec.names.plural+"."+spec.group',
    'spec.group: Invalid value: "nodots": should be a domain with at least one dot',
    'spec.scope: Unsupported value: "Some": supported values: "Cluster", "Namespaced"',
  ]);
  t.match(await causes(crontab({ preserveUnknownFields: true })), [
    /spec.preserveUnknownFields: Invalid value: true: cannot set to true/,
  ]);
  t.match(await causes(crontab({}, [version('v1', { schema: undefined })])), [
    'spec.versions[0].schema.openAPIV3Schema: Required value',
    /selectableFields\[0\].jsonPath/,
  ]);
  const bad = version('v1', {
    schema: { openAPIV3Schema: { type: 'object', properties: { spec: {} } } },
    ...{ additionalPrinterColumns: [{ name: 'a', type: 'x', jsonPath: 'y' }], selectableFields: [] },
    subresources: { scale: { specReplicasPath: '.status.x', statusReplicasPath: '' } },
  });
  t.same(await causes(crontab({}, [bad])), [
    'spec.versions[0].schema.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields',
    'spec.versions[0].subresources.scale.specReplicasPath: Invalid value: ".status.x": should be a json path under .spec',
    'spec.versions[0].subresources.scale.statusReplicasPath: Required value',
    'spec.versions[0].additionalPrinterColumns[0].type: Invalid value: "x": must be one of boolean,date,integer,number,string',
    'spec.versions[0].additionalPrinterColumns[0].JSONPath: Invalid value: "y": must be a simple json path starting with .',
  ]);
  t.match(await causes(crontab({ conversion: { strategy: 'Webhook' } })), [
    /spec.conversion.webhookClientConfig: Required value/,
    /spec.conversion.conversionReviewVersions: Required value/,
  ]);
  const protectedGroup = { ...crontab({ group: 'x.k8s.io' }), metadata: { name: 'crontabs.x.k8s.io' } };
  t.match(await causes(protectedGroup), [
    /metadata.annotations\[api-approved.kubernetes.io\]: Required value/,
  ]);
});

t.test('names that are taken are not given twice, until they are free', async (t) => {
  const server = await start(t);
  const { ask } = server;
  await define(server, crontab());
  const second = {
    ...crontab({ names: { plural: 'others', kind: 'CronTab', shortNames: ['ct'] } }),
    metadata: { name: 'others.stable.example.com' },
  };
  await ask('POST', definitions, { body: second });
  const path = `${definitions}/others.stable.example.com`;
  await until(async () => conditionOf(await ask('GET', path), 'NamesAccepted') === 'False');
  const { status } = (await ask('GET', path)).json<CustomResourceDefinition>();
  t.match(status?.conditions, [
    { type: 'NamesAccepted', reason: 'ListKindConflict', message: '"CronTabList" is already in use' },
    { type: 'Established', status: 'False', reason: 'NotAccepted' },
  ]);
  t.equal((await ask('GET', '/apis/stable.example.com/v1/others')).code, 404);
  await ask('DELETE', `${definitions}/crontabs.stable.example.com`);
  await until(async () => conditionOf(await ask('GET', path), 'Established') === 'True');
  t.equal((await ask('GET', '/apis/stable.example.com/v1/others')).code, 200);
});

t.test('instances go before their definition, and owners and namespaces reach them', async (t) => {
  const server = await start(t);
  const { ask } = server;
  await define(server, crontab());
  const owner = (await ask('POST', crontabs, { body: instance('owner') })).json<KubeObject>();
  const { uid } = owner.metadata;
  const ownerReferences = [{ apiVersion: 'stable.example.com/v1', kind: 'CronTab', name: 'owner', uid }];
  const maps = '/api/v1/namespaces/default/configmaps';
  await ask('POST', maps, { body: { metadata: { name: 'owned', ownerReferences } } });
  await ask('DELETE', `${crontabs}/owner`);
  await until(async () => (await ask('GET', `${maps}/owned`)).code === 404);

  await ask('POST', '/api/v1/namespaces', { body: { metadata: { name: 'shop' } } });
  const inShop = '/apis/stable.example.com/v1/namespaces/shop/crontabs';
  t.equal((await ask('POST', inShop, { body: instance('a') })).code, 201);
  await ask('DELETE', '/api/v1/namespaces/shop');
  await until(async () => (await ask('GET', '/api/v1/namespaces/shop')).code === 404);
  t.equal((await ask('GET', `${inShop}/a`)).code, 404);

  const held = { ...instance('held'), metadata: { name: 'held', finalizers: ['a.b/c'] } };
  await ask('POST', crontabs, { body: held });
  const path = `${definitions}/crontabs.stable.example.com`;
  const deleted = (await ask('DELETE', path)).json<CustomResourceDefinition>();
  t.match(deleted.metadata.finalizers, ['customresourcecleanup.apiextensions.k8s.io']);
  await until(async () => conditionOf(await ask('GET', path), 'Terminating') === 'True');
  await until(async () => (await ask('POST', crontabs, { body: instance('late') })).code === 405);
  t.equal((await ask('GET', path)).code, 200);
  await ask('PATCH', `${crontabs}/held`, { headers: merge, body: { metadata: { finalizers: null } } });
  await until(async () => (await ask('GET', path)).code === 404);
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
  hook.answer = () => ({ kind: 'Nothing' });
  t.match(
    (await ask('GET', `${alphas}/a`)).text,
    /expected webhook response of apiextensions.k8s.io\/v1, Kind=ConversionReview/,
  );
});

t.test('what was established is served again after a restart, before anything runs', async (t) => {
  const server = await start(t);
  await define(server, crontab());
  await server.ask('POST', crontabs, { body: instance('a') });
  const { resources } = server.registry;
  resources.replace('customresourcedefinition crontabs.stable.example.com', []);
  t.equal((await server.ask('GET', crontabs)).code, 404);
  const client = createRegistryClient(server.registry, admin);
  const none = (): never => {
    throw new Error('no conversion');
  };
  await createCustomKinds({ resources, client, conversion: none }).load();
  t.equal((await server.ask('GET', `${crontabs}/a`)).code, 200);
});
