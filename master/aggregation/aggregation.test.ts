/** Aggregated APIs: a real API server that believes the front proxy alone, behind a whole HTTPS front. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { apiServices, configMaps, endpointSlices, namespaces, services } from '../../src/api/kinds.js';
import type { APIService } from '../../src/api/types.js';
import { createInformers } from '../../src/client/informers.js';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { createTestTls, dialHere, sliceOf } from '../admission/testing.js';
import { createAuthority } from '../auth/ca.js';
import { createTestServer, type TestServer } from '../http/testing.js';
import { createRegistryClient } from '../registry/client.js';
import { causesOf, contextOf } from '../registry/testing.js';
import { createAggregation } from './aggregation.js';
import type { Aggregator } from './aggregator.js';
import { localVersions } from './autoregister.js';
import { Discovered } from './discovered.js';

const tls = await createTestTls(['fruit.default.svc']);
const now = new Date();
const proxyAuthority = await createAuthority(now, 'front-proxy-ca');
const proxyClient = await proxyAuthority.issueClient(
  { commonName: 'front-proxy-client', organizations: [] },
  now,
);
const groupVersion = 'fruit.example.com/v1alpha1';
const path = `/apis/${groupVersion}`;
/** Longer than anything here may take. */
const patienceMs = 30_000;

interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

interface FruitServer {
  port: number;
  seen: Seen[];
  isDown: boolean;
  close(): Promise<void>;
}

/** Answers nobody but the front proxy, as aggregated servers do. */
async function startFruitServer(): Promise<FruitServer> {
  const made: FruitServer = { port: 0, seen: [], isDown: false, close: () => Promise.resolve() };
  const resources = [
    {
      name: 'apples',
      singularName: 'apple',
      namespaced: true,
      kind: 'Apple',
      verbs: ['get', 'list'],
      shortNames: ['ap'],
    },
    { name: 'apples/status', singularName: '', namespaced: true, kind: 'Apple', verbs: ['get'] },
  ];
  function answer(raw: IncomingMessage, response: ServerResponse, body: string): void {
    const name = (raw.socket as TLSSocket).getPeerCertificate().subject?.CN;
    if (name !== 'front-proxy-client') {
      response.writeHead(401).end('who?');
      return;
    }
    const url = raw.url ?? '';
    if (raw.headers['x-remote-user'] !== 'system:kube-aggregator')
      made.seen.push({ method: raw.method ?? '', url, headers: raw.headers, body });
    if (made.isDown) response.writeHead(500).end();
    else if (url === path) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources }));
    } else if (url.includes('watch=1')) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"type":"ADDED"}\n');
    } else {
      response.writeHead(200, { 'content-type': 'application/json', 'x-from': 'fruit' });
      response.end(JSON.stringify({ url, method: raw.method, body }));
    }
  }
  const server = createServer(
    { ...tls.server, ca: proxyAuthority.pair.cert, requestCert: true, rejectUnauthorized: false },
    (raw, response) => {
      const chunks: Buffer[] = [];
      raw.on('data', (chunk: Buffer) => chunks.push(chunk));
      raw.on('end', () => answer(raw, response, Buffer.concat(chunks).toString()));
    },
  );
  server.on('upgrade', (raw, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${raw.headers.upgrade}\r\n\r\n`,
    );
    socket.on('data', (chunk: Buffer) => socket.write(`echo ${chunk.toString()}`));
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  made.port = (server.address() as AddressInfo).port;
  made.close = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return made;
}

interface World extends TestServer {
  client: ReturnType<typeof createRegistryClient>;
  until(what: () => Promise<boolean>): Promise<void>;
  condition(name: string): Promise<Record<string, string | undefined>>;
  end(): Promise<void>;
}

async function createWorld(): Promise<World> {
  let aggregator: Aggregator | undefined;
  const discovered = new Discovered();
  const late = {
    discovered,
    serves: (info: Parameters<Aggregator['serves']>[0]) => aggregator?.serves(info) ?? false,
    serve: (...given: Parameters<Aggregator['serve']>) => aggregator?.serve(...given),
    upgrade: (...given: Parameters<Aggregator['upgrade']>) => aggregator?.upgrade(...given),
  } as unknown as Aggregator;
  const server = await createTestServer({ aggregator: late });
  const client = createRegistryClient(server.registry, { name: 'master', groups: ['system:masters'] });
  const clock = systemClock;
  const aggregation = createAggregation({
    client,
    resources: server.registry.resources,
    pki: { ca: server.certificates.ca, frontProxy: { ca: proxyAuthority.pair.cert, client: proxyClient } },
    ...{ clock, log: silentLogger, discovered, dial: dialHere },
  });
  const stop = new AbortController();
  await aggregation.start(stop.signal);
  aggregator = aggregation.aggregator;
  const informers = createInformers({ client, clock, log: silentLogger });
  const controllers = aggregation.controllers(informers);
  await informers.start(stop.signal);
  await controllers.start(stop.signal);
  return {
    ...server,
    client,
    async until(what) {
      for (const endMs = performance.now() + patienceMs; performance.now() < endMs && !(await what()); )
        await new Promise((resolve) => setImmediate(resolve));
    },
    async condition(name) {
      const found = await client.get(apiServices, { name });
      return { ...found.status?.conditions?.find(({ type }) => type === 'Available') };
    },
    async end() {
      await controllers.stop();
      await informers.stop();
      await aggregation.stop();
      await server.close();
    },
  };
}

const fruit = (spec: Partial<APIService['spec']> = {}): APIService => ({
  metadata: { name: 'v1alpha1.fruit.example.com' },
  spec: {
    group: 'fruit.example.com',
    version: 'v1alpha1',
    service: { namespace: 'default', name: 'fruit', port: 443 },
    caBundle: tls.caBundle,
    groupPriorityMinimum: 17_790,
    versionPriority: 5,
    ...spec,
  },
});

const service = (port: number) => ({
  metadata: { name: 'fruit', namespace: 'default' },
  spec: { ports: [{ name: 'https', port, targetPort: 8443 }], selector: { app: 'fruit' } },
});

const slice = (port: number, ready = true) => sliceOf('fruit', 'fruit-1', port, ready);

t.test('every group version of our own has its APIService, always available', async (t) => {
  const world = await createWorld();
  t.teardown(() => world.end());
  const wanted = localVersions(world.registry.resources);
  await world.until(async () => {
    const { items } = await world.client.list(apiServices);
    return items.length === wanted.size && items.every(({ status }) => status?.conditions?.length);
  });
  const { items } = await world.client.list(apiServices);
  t.same(new Set(items.map(({ metadata }) => metadata.name)), new Set(wanted.keys()));
  t.ok(wanted.has('v1.') && wanted.has('v1.apps') && !wanted.has('v1.apiregistration.k8s.io'));
  t.match(await world.condition('v1.apps'), {
    status: 'True',
    reason: 'Local',
    message: 'Local APIServices are always available',
  });
  await world.client.delete(apiServices, { name: 'v1.apps' });
  await world.until(async () => (await world.client.list(apiServices)).items.length === wanted.size);
  t.ok(await world.client.get(apiServices, { name: 'v1.apps' }), 'it comes back');

  const row = world.rowOf('configmaps');
  const type = { ...row.type, group: 'custom.example.com', version: 'v1', resource: 'things', kind: 'Thing' };
  world.registry.resources.replace('crd', [{ ...row, type }]);
  const has = async () =>
    (await world.client.list(apiServices)).items.some(
      ({ metadata }) => metadata.name === 'v1.custom.example.com',
    );
  await world.until(has);
  t.ok(await has());
  world.registry.resources.replace('crd', []);
  await world.until(async () => !(await has()));
  t.notOk(await has());
});

t.test('aggregated servers are told whom to believe', async (t) => {
  const world = await createWorld();
  t.teardown(() => world.end());
  await world.client.create(namespaces, { metadata: { name: 'kube-system' } });
  const ref = { namespace: 'kube-system', name: 'extension-apiserver-authentication' };
  const read = async () => (await world.client.list(configMaps, { namespace: ref.namespace })).items[0];
  await world.until(async () => (await read()) !== undefined);
  t.same((await read())?.data, {
    'client-ca-file': world.certificates.ca,
    'requestheader-allowed-names': '["front-proxy-client"]',
    'requestheader-client-ca-file': proxyAuthority.pair.cert,
    'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
    'requestheader-group-headers': '["X-Remote-Group"]',
    'requestheader-uid-headers': '["X-Remote-Uid"]',
    'requestheader-username-headers': '["X-Remote-User"]',
  });
});

t.test('what is not available says why and is answered with 503', async (t) => {
  const world = await createWorld();
  const server = await startFruitServer();
  t.teardown(() => Promise.all([world.end(), server.close()]));
  const name = 'v1alpha1.fruit.example.com';
  const becomes = async (reason: string, message: RegExp) => {
    await world.until(async () => (await world.condition(name))['reason'] === reason);
    const found = await world.condition(name);
    t.equal(found['reason'], reason);
    t.match(found['message'], message);
  };
  await world.client.create(apiServices, fruit());
  await becomes('ServiceNotFound', /^service\/fruit in "default" is not present$/);
  const refused = await world.ask('GET', `${path}/apples`);
  t.equal(refused.code, 503);
  t.equal(refused.text, 'service unavailable\n');

  await world.client.create(services, service(80));
  await becomes('ServicePortError', /is not listening on port 443/);
  await world.client.delete(services, { namespace: 'default', name: 'fruit' });
  await world.client.create(services, service(443));
  await becomes('EndpointsNotFound', /^cannot find endpointslices for service\/fruit in "default"$/);
  await world.client.create(endpointSlices, slice(server.port, false));
  await becomes('MissingEndpoints', /have no addresses/);
  server.isDown = true;
  await world.client.update(endpointSlices, slice(server.port));
  await becomes('FailedDiscoveryCheck', /^failing or missing response from https:.*bad status from .*: 500$/);
  server.isDown = false;
  await world.client.update(endpointSlices, {
    ...slice(server.port),
    metadata: { ...slice(0).metadata, annotations: { a: 'b' } },
  });
  await becomes('Passed', /^all checks passed$/);
  t.match(await world.ask('GET', `${path}/apples`), { code: 200 });

  const other = await createTestTls();
  const found = await world.client.get(apiServices, { name });
  await world.client.update(apiServices, { ...found, ...fruit({ caBundle: other.caBundle }) });
  await becomes('FailedDiscoveryCheck', /certificate signed by unknown authority/);
  await world.client.update(apiServices, {
    ...fruit({ caBundle: undefined, insecureSkipTLSVerify: true }),
  });
  await becomes('Passed', /./);
});

async function available(world: World, server: FruitServer): Promise<void> {
  await world.client.create(services, service(443));
  await world.client.create(endpointSlices, slice(server.port));
  await world.client.create(apiServices, fruit());
  const name = 'v1alpha1.fruit.example.com';
  await world.until(async () => (await world.condition(name))['status'] === 'True');
}

t.test('requests go there as they are, with who asks', async (t) => {
  const world = await createWorld();
  const server = await startFruitServer();
  t.teardown(() => Promise.all([world.end(), server.close()]));
  await available(world, server);
  const answer = await world.ask('POST', `${path}/namespaces/default/apples?dryRun=All`, {
    body: { any: 'thing' },
    headers: {
      'x-remote-user': 'root',
      'x-remote-group': 'system:masters',
      'x-remote-extra-scopes': 'all',
      'x-own': '1',
    },
  });
  t.equal(answer.code, 200);
  t.equal(answer.headers['x-from'], 'fruit');
  t.same(answer.json(), {
    url: `${path}/namespaces/default/apples?dryRun=All`,
    method: 'POST',
    body: '{"any":"thing"}',
  });
  const [seen] = server.seen;
  t.match(seen?.headers, {
    'x-remote-user': 'admin',
    'x-remote-group': 'system:masters',
    'x-own': '1',
    'x-forwarded-uri': `${path}/namespaces/default/apples`,
    host: 'fruit.default.svc',
  });
  t.equal(seen?.headers['x-remote-extra-scopes'], undefined, 'nobody brings his own');
  t.equal(seen?.headers.authorization, undefined, 'the token stays here');
  t.match(world.asked.at(-1), {
    verb: 'create',
    group: 'fruit.example.com',
    resource: 'apples',
    namespace: 'default',
  });
  t.equal(
    (await world.ask('GET', `${path}/apples`, { token: 'nobody-token' })).code,
    403,
    'authorized here first',
  );
  t.match((await world.ask('GET', `/openapi/v3/${path.slice(1)}?hash=1`)).json(), {
    url: `/openapi/v3/${path.slice(1)}?hash=1`,
  });
});

t.test('watches stream, other protocols are joined', async (t) => {
  const world = await createWorld();
  const server = await startFruitServer();
  t.teardown(() => Promise.all([world.end(), server.close()]));
  await available(world, server);
  const { port } = new URL(world.url);
  const common = {
    host: '127.0.0.1',
    port,
    ca: world.certificates.ca,
    agent: false as const,
    headers: { authorization: 'Bearer admin-token' },
  };
  const watch = request({ ...common, path: `${path}/apples?watch=1` });
  watch.end();
  const [answer] = (await once(watch, 'response')) as [IncomingMessage];
  const [chunk] = (await once(answer, 'data')) as [Buffer];
  t.equal(chunk.toString(), '{"type":"ADDED"}\n');
  watch.on('error', () => undefined);
  watch.destroy();

  const headers = { ...common.headers, connection: 'Upgrade', upgrade: 'echo/1' };
  const upgrade = request({ ...common, headers, path: `${path}/namespaces/default/apples/a/talk` });
  upgrade.end();
  const [switched, socket] = (await once(upgrade, 'upgrade')) as [IncomingMessage, TLSSocket];
  t.equal(switched.statusCode, 101);
  t.equal(switched.headers.upgrade, 'echo/1');
  socket.write('hello');
  const [said] = (await once(socket, 'data')) as [Buffer];
  t.equal(said.toString(), 'echo hello');
  socket.destroy();
});

t.test(
  'discovery and OpenAPI list what others serve, in the order of priorities, stale while they are down',
  async (t) => {
    const world = await createWorld();
    const server = await startFruitServer();
    t.teardown(() => Promise.all([world.end(), server.close()]));
    await available(world, server);
    const groupsOf = async (): Promise<string[]> => {
      const { groups } = (await world.ask('GET', '/apis')).json<{ groups: { name: string }[] }>();
      return groups.map(({ name }) => name);
    };
    const groups = await groupsOf();
    t.equal(groups.indexOf('fruit.example.com'), groups.indexOf('apps') + 1, 'right behind apps');
    t.match((await world.ask('GET', '/apis/fruit.example.com')).json(), {
      kind: 'APIGroup',
      preferredVersion: { groupVersion },
    });
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    interface Listed {
      items: {
        metadata: { name: string };
        versions: { version: string; freshness: string; resources: object[] }[];
      }[];
    }
    const fruitOf = async () => {
      const { items } = (await world.ask('GET', '/apis', { headers: { accept } })).json<Listed>();
      return items.find(({ metadata }) => metadata.name === 'fruit.example.com')?.versions[0];
    };
    t.match(await fruitOf(), {
      version: 'v1alpha1',
      freshness: 'Current',
      resources: [
        {
          resource: 'apples',
          responseKind: { group: 'fruit.example.com', version: 'v1alpha1', kind: 'Apple' },
          scope: 'Namespaced',
          singularResource: 'apple',
          shortNames: ['ap'],
          subresources: [{ subresource: 'status', verbs: ['get'] }],
        },
      ],
    });
    t.match((await world.ask('GET', '/openapi/v3')).json(), {
      paths: { 'apis/fruit.example.com/v1alpha1': {}, 'apis/apps/v1': {} },
    });
    await world.client.delete(endpointSlices, { namespace: 'default', name: 'fruit-1' });
    await world.until(async () => (await fruitOf())?.freshness === 'Stale');
    t.match(await fruitOf(), { freshness: 'Stale', resources: [{ resource: 'apples' }] });
    await world.client.delete(apiServices, { name: 'v1alpha1.fruit.example.com' });
    await world.until(async () => !(await groupsOf()).includes('fruit.example.com'));
    t.notOk((await groupsOf()).includes('fruit.example.com'));
    t.equal((await world.ask('GET', `${path}/apples`)).code, 404);
  },
);

t.test('APIServices are checked', async (t) => {
  const world = await createWorld();
  t.teardown(() => world.end());
  const row = world.rowOf('apiservices');
  const create = (object: APIService) => causesOf(world.registry.create(row, undefined, object, contextOf()));
  const cases: [APIService, string[]][] = [
    [
      { ...fruit(), metadata: { name: 'v1.other' } },
      [
        'metadata.name: Invalid value: "v1.other": must be `spec.version+"."+spec.group`: "v1alpha1.fruit.example.com"',
      ],
    ],
    [
      fruit({ groupPriorityMinimum: 0 }),
      ['spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000'],
    ],
    [
      fruit({ versionPriority: 1001 }),
      ['spec.versionPriority: Invalid value: 1001: must be positive and less than 1000'],
    ],
    [
      fruit({ insecureSkipTLSVerify: true }),
      ['spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present'],
    ],
    [
      fruit({ service: undefined }),
      [
        `spec.caBundle: Invalid value: "${Buffer.from(tls.caBundle, 'base64').length} bytes": local APIServices may not have a caBundle`,
      ],
    ],
    [
      fruit({ service: { namespace: '', name: '' } }),
      ['spec.service.namespace: Required value', 'spec.service.name: Required value'],
    ],
    [
      fruit({ service: { namespace: 'a', name: 'b', port: 70_000 } }),
      ['spec.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive'],
    ],
  ];
  for (const [object, causes] of cases) t.same(await create(object), causes);
  const { port: _port, ...withoutPort } = { ...fruit().spec?.service };
  await world.registry.create(row, undefined, fruit({ service: withoutPort }), contextOf());
  const made = await world.client.get(apiServices, { name: 'v1alpha1.fruit.example.com' });
  t.equal(made.spec?.service?.port, 443);
});
