/** What a real server writes down about real requests. */
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { internalError } from '../../src/api/errors.js';
import { parseRequest } from '../http/request.js';
import { createTestServer, type TestServer } from '../http/testing.js';
import { AuditLog } from './log.js';
import { parsePolicy } from './policy.js';

interface Written {
  level: string;
  stage: string;
  auditID: string;
  requestURI: string;
  verb: string;
  user: { username?: string; groups?: string[] };
  impersonatedUser?: { username: string };
  sourceIPs: string[];
  objectRef?: Record<string, string>;
  responseStatus?: { code: number; message?: string; reason?: string; status?: string };
  requestObject?: Record<string, unknown>;
  responseObject?: Record<string, unknown>;
  annotations?: Record<string, string>;
  requestReceivedTimestamp: string;
}

const policy = parsePolicy(`
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - level: None
    nonResourceURLs: [/healthz]
  - level: Metadata
    resources: [{group: '', resources: [pods/exec, nodes]}]
  - level: RequestResponse
    omitManagedFields: true
`);

let events: Written[] = [];
let isTaking = true;
const take = (text: string): boolean => {
  if (isTaking) events.push(JSON.parse(text) as Written);
  return isTaking;
};
const audit = (strict: boolean): AuditLog =>
  new AuditLog({ policy, strict, now: () => new Date(), sinks: [{ name: 'log', take }] });

const log = audit(false);
const server = await createTestServer({ audit: log });
t.teardown(() => server.close());
t.beforeEach(() => {
  events = [];
  isTaking = true;
});

/** The events of a request are complete a moment after its answer. */
async function written(count: number): Promise<Written[]> {
  while (events.length < count) await new Promise((resolve) => setImmediate(resolve));
  return events;
}

const maps = '/api/v1/namespaces/default/configmaps';

t.test('a creation: who, what, decided how, answered what', async (t) => {
  const answer = await server.ask('POST', `${maps}?fieldManager=me`, {
    body: { metadata: { generateName: 'a-' }, data: { k: 'v' } },
    headers: { 'audit-id': 'my-id', 'x-forwarded-for': '1.2.3.4, junk', 'user-agent': 'test/1' },
  });
  const [received, complete] = await written(2);
  t.match(received, {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'RequestResponse',
    auditID: 'my-id',
    stage: 'RequestReceived',
    requestURI: `${maps}?fieldManager=me`,
    verb: 'create',
    user: { username: 'admin', groups: ['system:masters'] },
    sourceIPs: ['1.2.3.4', '127.0.0.1'],
    userAgent: 'test/1',
    objectRef: { resource: 'configmaps', namespace: 'default', apiVersion: 'v1' },
    requestReceivedTimestamp: /^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/,
  });
  t.notOk(received?.responseStatus ?? received?.requestObject);
  const { metadata } = answer.json<{ metadata: { name: string; uid: string } }>();
  t.match(complete, {
    stage: 'ResponseComplete',
    objectRef: { name: metadata.name, uid: metadata.uid },
    responseStatus: { code: 201 },
    requestObject: { data: { k: 'v' } },
    responseObject: { metadata: { name: metadata.name }, data: { k: 'v' } },
    annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': '' },
  });
  t.notMatch(JSON.stringify(complete), /managedFields/);
});

t.test('patch, dry run, deletion, lists in pretty and YAML', async (t) => {
  await server.ask('POST', maps, { body: { metadata: { name: 'p' } } });
  await server.ask('PATCH', `${maps}/p?dryRun=All`, {
    body: { data: { a: 'b' } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  await server.ask('GET', `${maps}?pretty=true`);
  await server.ask('GET', `${maps}/p`, { headers: { accept: 'application/yaml' } });
  await server.ask('DELETE', `${maps}/p`, { body: { propagationPolicy: 'Background' } });
  await server.ask('GET', `${maps}/p`);
  const complete = (await written(12)).filter(({ stage }) => stage === 'ResponseComplete');
  const [, patched, listed, yaml, deleted, missing] = complete;
  t.match(patched, { verb: 'patch', requestURI: /dryRun=All/, requestObject: { data: { a: 'b' } } });
  t.match(listed, { verb: 'list', responseObject: { kind: 'ConfigMapList' } });
  t.match(yaml, { verb: 'get', responseObject: { kind: 'ConfigMap', metadata: { name: 'p' } } });
  t.match(deleted, {
    requestObject: { propagationPolicy: 'Background' },
    responseStatus: { status: 'Success', code: 200 },
  });
  t.match(missing, { responseStatus: { status: 'Failure', reason: 'NotFound', code: 404 } });
});

t.test('values of Secrets are not written at any level', async (t) => {
  const secrets = '/api/v1/namespaces/default/secrets';
  const value = Buffer.from('hush-hush').toString('base64');
  await server.ask('POST', secrets, { body: { metadata: { name: 's' }, data: { k: value } } });
  await server.ask('GET', `${secrets}/s`);
  await server.ask('PUT', `${secrets}/s`, { body: { metadata: { name: 's' }, data: { k: '%%hush%%' } } });
  for (const body of ['{"data":{"k":hush}}', '{"data":{"k":"hush', '"hush"', '[{"op":"hush"}]'])
    await server.ask('POST', secrets, { body });
  const all = JSON.stringify(await written(14));
  t.match(all, /"k":"REDACTED"/);
  t.notMatch(all, new RegExp(`${value}|hush`));
});

t.test('refused: nobody, and somebody who may not', async (t) => {
  t.equal((await server.ask('GET', maps, { token: 'forged' })).code, 401);
  t.equal((await server.ask('GET', maps, { token: null })).code, 401);
  t.equal((await server.ask('GET', maps, { token: 'nobody-token' })).code, 403);
  t.equal((await server.ask('GET', '/api/v1/%zz', { token: null })).code, 400);
  const [forged, without, received, forbidden, broken] = await written(5);
  t.match(forged, {
    stage: 'ResponseStarted',
    user: {},
    responseStatus: { code: 401, message: 'Authentication failed, attempted: bearer' },
  });
  t.match(without?.responseStatus?.message, /no credentials provided/);
  t.match(received, { stage: 'RequestReceived', user: { username: 'nobody' } });
  t.match(forbidden, {
    stage: 'ResponseComplete',
    responseStatus: { code: 403, reason: 'Forbidden', message: /cannot list resource/ },
    annotations: { 'authorization.k8s.io/decision': 'forbid' },
  });
  t.match(broken, { stage: 'ResponseComplete', verb: 'get', responseStatus: { code: 400 } });
});

t.test('impersonation names both', async (t) => {
  await server.ask('GET', maps, { headers: { 'impersonate-user': 'bob', 'impersonate-group': 'x' } });
  const [received, complete] = await written(2);
  t.equal(received?.impersonatedUser, undefined, 'not known yet');
  t.match(complete, {
    user: { username: 'admin' },
    impersonatedUser: { username: 'bob', groups: ['x', 'system:authenticated'] },
    responseStatus: { code: 403 },
  });
});

t.test('a watch: received, started, complete', async (t) => {
  const seen = await watched(server, `${maps}?watch=true&timeoutSeconds=1`);
  t.equal(seen, 200);
  const stages = (await written(3)).map(({ stage, verb, responseStatus }) => [
    stage,
    verb,
    responseStatus?.code,
  ]);
  t.same(stages, [
    ['RequestReceived', 'watch', undefined],
    ['ResponseStarted', 'watch', 200],
    ['ResponseComplete', 'watch', 200],
  ]);
});

t.test('exec over an upgrade, refused by the server', async (t) => {
  const path = '/api/v1/namespaces/default/pods/none/exec?command=id';
  const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1' };
  t.equal((await server.ask('POST', path, { headers })).code, 404);
  const all = await written(3);
  t.same(
    all.map(({ stage }) => stage),
    ['RequestReceived', 'ResponseStarted', 'ResponseComplete'],
  );
  t.match(all[2], { verb: 'create', objectRef: { subresource: 'exec' }, responseStatus: { code: 404 } });
});

t.test('a tunnel: started with its 101, complete when it ends', async (t) => {
  const socket = new PassThrough();
  const raw = { method: 'POST', headers: {}, socket: { remoteAddress: '10.0.0.1' } } as IncomingMessage;
  const url = '/api/v1/namespaces/default/pods/p/exec?command=id';
  const record = log.open(raw, url, 'id');
  record.followSocket(socket);
  record.authenticated({ name: 'u', groups: [] }, parseRequest('POST', url));
  socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
  socket.write('bytes of the tunnel');
  t.equal(events.length, 2);
  socket.destroy();
  const stages = (await written(3)).map(({ stage, responseStatus }) => [stage, responseStatus?.code]);
  t.same(stages, [
    ['RequestReceived', undefined],
    ['ResponseStarted', 101],
    ['ResponseComplete', 101],
  ]);
});

t.test('a defect of ours is a panic, in words that tell nothing', async (t) => {
  const raw = { method: 'GET', headers: {}, socket: {} } as IncomingMessage;
  const record = log.open(raw, maps, 'id');
  record.authenticated({ name: 'u', groups: [] }, parseRequest('GET', maps));
  record.refused(internalError('the server met an unexpected condition'), true);
  record.ended(500);
  t.match((await written(2))[1], { stage: 'Panic', responseStatus: { code: 500, reason: 'InternalError' } });
});

t.test('what the policy does not want costs nothing and is nowhere', async (t) => {
  await server.ask('GET', '/healthz');
  await server.ask('GET', '/api/v1/nodes');
  const all = await written(2);
  t.equal(all.length, 2);
  t.match(all[1], { level: 'Metadata', objectRef: { resource: 'nodes' } });
  t.notOk(all[1]?.responseObject);
});

t.test('a log that takes nothing: counted; strict: nothing is served', async (t) => {
  isTaking = false;
  t.equal((await server.ask('GET', maps)).code, 200);
  t.match(log.text(), /apiserver_audit_error_total\{plugin="log"\} [12]\n/);
  const strictLog = audit(true);
  const strict = await createTestServer({ audit: strictLog });
  t.teardown(() => strict.close());
  t.equal((await strict.ask('GET', maps)).code, 500);
  t.match(strictLog.text(), /apiserver_audit_requests_rejected_total 1\n/);
  isTaking = true;
  t.equal((await strict.ask('GET', maps)).code, 200);
});

/** Reads a watch to its end. */
function watched({ url, certificates }: TestServer, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: 'Bearer admin-token' };
    get(`${url}${path}`, { ca: certificates.ca, agent: false, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    }).on('error', reject);
  });
}
