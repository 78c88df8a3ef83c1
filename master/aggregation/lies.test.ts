/** What an aggregated API server says of itself that is not so, or too much. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { APIService } from '../../src/api/types.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createTestTls } from '../admission/testing.js';
import { createDiscovery } from '../http/discovery.js';
import { parseRequest } from '../http/request.js';
import { RequestScope } from '../http/scope.js';
import { Aggregator } from './aggregator.js';
import { type ApiResource, Discovered, resourcesOf } from './discovered.js';
import { TlsPool } from './pool.js';
import { createRemoteKinds } from './remotekinds.js';

const good = { name: 'apples', kind: 'Apple', namespaced: true, verbs: ['get'], shortNames: ['ap'] };
const listOf = (...resources: unknown[]) => ({ kind: 'APIResourceList', resources });

t.test('resources that are not as they must be are left out, fields that nobody knows too', async (t) => {
  const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
  const wrong = [
    ...[null, 1, 'x', [], {}, { ...good, name: '' }, { ...good, name: 1 }, { ...good, kind: {} }],
    ...[
      { ...good, verbs: 'get' },
      { ...good, verbs: [1] },
      { ...good, verbs: deep },
      { ...good, verbs: null },
    ],
    ...[
      { ...good, namespaced: 'true' },
      { ...good, singularName: 5 },
      { ...good, group: {} },
    ],
    ...[
      { ...good, shortNames: {} },
      { ...good, shortNames: 'ap' },
      { ...good, categories: [deep] },
    ],
  ];
  t.same(resourcesOf(listOf(...wrong)), []);
  const more = { ...good, name: 'pears', shortNames: null, storageVersionHash: deep };
  t.same(resourcesOf(listOf(...wrong, good, more)), [
    { ...good, categories: [] },
    { ...good, categories: [], name: 'pears', shortNames: [] },
  ]);
  t.equal(resourcesOf(listOf(good, good, good))?.length, 1, 'once');
  t.equal(resourcesOf({ kind: 'Status' }), undefined);
});

t.test('ten thousand resources and subresources make documents of their own size', async (t) => {
  const names = Array.from({ length: 5000 }, (_, n) => `kind${n}`);
  const resources = resourcesOf(
    listOf(
      ...names.flatMap((name) => [
        { ...good, name },
        { ...good, name: `${name}/status` },
      ]),
    ),
  ) as readonly ApiResource[];
  let reads = 0;
  const counted = resources.map((resource) => ({
    ...resource,
    get name() {
      reads += 1;
      return resource.name;
    },
  }));
  const discovered = new Discovered();
  const spec = { group: 'a.example.com', version: 'v1', groupPriorityMinimum: 1, versionPriority: 1 };
  discovered.put('v1.a.example.com', spec, counted);
  const { legacy } = createDiscovery([], 'master:6443', createRemoteKinds(discovered));
  const list = JSON.parse(legacy.get('/apis/a.example.com/v1')?.toString() ?? '');
  t.equal(list.resources.length, 10_000);
  t.ok(reads < 10 * resources.length, `${reads} looks at ${resources.length} resources`);
});

const path = '/apis/fruit.example.com/v1/apples';

/** An aggregated API that answers with `answer`, behind an aggregator whose clock stands still. */
async function startFront(t: Test, answer: (raw: IncomingMessage, response: ServerResponse) => void) {
  const tls = await createTestTls(['fruit.default.svc']);
  const remote = createHttpsServer(tls.server, answer);
  const port = await listen(t, remote);
  const clock = createFakeClock();
  const service = { namespace: 'default', name: 'fruit', port };
  const spec = { ...{ group: 'fruit.example.com', version: 'v1', service, caBundle: tls.caBundle } };
  const current = {
    ...{ metadata: { name: 'v1.fruit.example.com' }, spec },
    status: { conditions: [{ type: 'Available', status: 'True' }] },
  } as APIService;
  const client = { get: async () => ({ spec: { type: 'ExternalName', externalName: '127.0.0.1' } }) };
  const pool = new TlsPool();
  t.teardown(() => pool.destroy());
  const aggregator = new Aggregator({
    ...{ client: client as never, pool, clock, log: silentLogger, discovered: new Discovered() },
    credentials: () => tls.server,
    apiServices: {
      onChange: (tell: (change: never) => void) => tell({ key: '', old: undefined, current } as never),
    } as never,
  });
  const front = createServer((raw, response) => {
    const info = parseRequest(raw.method ?? '', raw.url ?? '');
    const user = { name: 'jane', groups: [] };
    const scope = new RequestScope({ info, user, connection: response, userAgent: undefined });
    void aggregator.serve(scope, { raw, url: raw.url ?? '', response });
  });
  return { url: `http://127.0.0.1:${await listen(t, front)}`, clock };
}

async function listen(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

t.test('a redirect is not passed on: the client would show its token there', async (t) => {
  const { url } = await startFront(t, (_, response) => {
    response.writeHead(307, { location: 'https://elsewhere.example/' }).end('go');
  });
  const answer = await fetch(`${url}${path}`, { redirect: 'manual' });
  t.equal(answer.status, 502);
  t.equal(answer.headers.get('location'), null);
  t.match(await answer.text(), /^the backend attempted to redirect this request, which is not permitted/);
});

t.test('a server that takes a request and says nothing', async (t) => {
  let asked = (): void => undefined;
  const { url, clock } = await startFront(t, (raw, response) => {
    if (raw.url?.includes('watch')) response.writeHead(200).flushHeaders();
    asked();
  });
  const whenAsked = () =>
    new Promise<void>((resolve) => {
      asked = resolve;
    });
  const watched = whenAsked();
  const watching = fetch(`${url}${path}?watch=1`);
  await watched;
  t.equal((await watching).status, 200, 'a watch may be silent');
  const seen = whenAsked();
  const answer = fetch(`${url}${path}`);
  await seen;
  await clock.advance(60_000);
  t.equal((await answer).status, 503);
  t.match(await (await answer).text(), /^error trying to reach service: no answer within 60000 ms/);
  await (await watching).body?.cancel();
});
