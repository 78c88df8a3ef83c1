/** Custom kinds over HTTPS: a test server and the controllers. */
import t from 'tap';
import type { CustomResourceDefinition, KubeObject } from '../../../src/api/types.js';
import { createRegistryClient } from '../client.js';
import { createCustomKinds } from './serving.js';
import {
  admin,
  conditionOf,
  crontab,
  crontabs,
  define,
  definitions,
  instance,
  merge,
  start,
  until,
  version,
} from './testing.js';

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

t.test(
  'what preserves everything names no property in OpenAPI v2, for old clients refuse any other',
  async (t) => {
    const open = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    const server = await start(t);
    await define(server, crontab({}, [version('v1', { schema: open, selectableFields: undefined })]));
    const v2 = (await server.ask('GET', '/openapi/v2')).json<{ definitions: Record<string, object> }>();
    t.same(v2.definitions['com.example.stable.v1.CronTab'], {
      type: 'object',
      'x-kubernetes-group-version-kind': [{ group: 'stable.example.com', kind: 'CronTab', version: 'v1' }],
    });
  },
);

t.test('discovery and OpenAPI know the kind, and forget it', async (t) => {
  const server = await start(t);
  const { ask } = server;
  await define(server, crontab());
  t.match((await ask('GET', '/apis/stable.example.com/v1')).json(), {
    resources: [
      {
        name: 'crontabs',
        singularName: 'crontab',
        shortNames: ['ct'],
        kind: 'CronTab',
        storageVersionHash: 'EdX2FP+L0js=',
      },
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

t.test('formats that nobody knows are warned of, once', async (t) => {
  const { ask } = await start(t);
  const odd = { type: 'string', format: 'tide-table' };
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec: odd } } };
  const body = crontab({}, [version('v1', { schema, subresources: {}, selectableFields: [] })]);
  const created = await ask('POST', definitions, { body });
  t.equal(created.code, 201);
  t.equal(created.headers.warning, '299 - "unrecognized format \\"tide-table\\""');
  const path = `${definitions}/crontabs.stable.example.com`;
  const labelled = await ask('PATCH', path, { headers: merge, body: { metadata: { labels: { a: 'b' } } } });
  t.equal(labelled.headers.warning, undefined);
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
