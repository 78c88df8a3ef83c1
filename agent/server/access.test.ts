/** Who may do what on the agent's API: certificates, tokens, the master's answers and how long they hold. */
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import t from 'tap';
import type { KubeObject, SubjectAccessReview, TokenReview } from '../../src/api/types.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createAccess } from './access.js';
import { AnswerCache } from './answercache.js';
import { accessAttributes } from './attributes.js';

t.test('paths and methods as verbs on subresources of the node', async (t) => {
  const cases: [string, string, string, string][] = [
    ['GET', '/stats/summary', 'get', 'stats'],
    ['GET', '/metrics', 'get', 'metrics'],
    ['GET', '/metrics/cadvisor?x=/exec', 'get', 'metrics'],
    ['GET', '/metricsx', 'get', 'proxy'],
    ['HEAD', '/logs/syslog', 'get', 'log'],
    ['GET', '/spec/', 'get', 'spec'],
    ['GET', '/pods', 'get', 'pods proxy'],
    ['GET', '/runningpods/', 'get', 'pods proxy'],
    ['GET', '/healthz/ping', 'get', 'healthz proxy'],
    ['GET', '/configz', 'get', 'configz proxy'],
    ['GET', '/containerLogs/a/b/c', 'get', 'proxy'],
    ['POST', '/run/a/b/c', 'create', 'proxy'],
    ['GET', '/exec/a/b/c', 'create', 'proxy'],
    ['GET', '/attach/a/b/c', 'create', 'proxy'],
    ['GET', '/portForward/a/b', 'create', 'proxy'],
    ['CONNECT', '10.0.0.1:80', 'create', 'proxy'],
    // Other spellings of the same path are the same path.
    ['GET', '/metrics/../exec/a/b/c', 'create', 'proxy'],
    ['GET', '/metrics/%2e%2e/exec/a/b/c', 'create', 'proxy'],
    ['GET', '/%65xec/a/b/c', 'create', 'proxy'],
    ['GET', '//metrics', 'get', 'proxy'],
    ['PUT', '/pods', 'update', 'pods proxy'],
    ['DELETE', '/x', 'delete', 'proxy'],
    ['BREW', '/x', '', 'proxy'],
  ];
  for (const [method, url, verb, subresources] of cases)
    t.strictSame(accessAttributes(method, url), { verb, subresources: subresources.split(' ') }, url);
});

/** A request without a certificate: those are tried over real TLS in server.test.ts. */
const request = (url: string, token?: string, method = 'GET'): IncomingMessage =>
  Object.assign(new EventEmitter(), {
    method,
    url,
    socket: {},
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  }) as unknown as IncomingMessage;

function setUp() {
  const clock = createFakeClock();
  const asked: string[] = [];
  const state = { allowed: ['metrics'], isAway: false };
  const create = async <T extends KubeObject>(_type: unknown, object: T): Promise<T> => {
    if (state.isAway) throw new Error('away');
    if ('token' in (object as unknown as TokenReview).spec) {
      const { spec } = object as unknown as TokenReview;
      asked.push(`token ${spec.token}`);
      const user = { username: spec.token, groups: ['system:authenticated'] };
      return {
        ...object,
        status: spec.token?.startsWith('bad') ? { authenticated: false } : { authenticated: true, user },
      };
    }
    const { spec } = object as unknown as SubjectAccessReview;
    const { verb, subresource = '', name, resource } = spec.resourceAttributes ?? {};
    asked.push(`${spec.user} ${verb} ${resource}/${name}/${subresource}`);
    return { ...object, status: { allowed: state.allowed.includes(subresource) } };
  };
  const access = createAccess({ nodeName: 'n1', client: { create }, clock, log: silentLogger });
  return { clock, asked, state, access };
}

t.test('a token is asked for once in two minutes, a permission once in five', async (t) => {
  const { clock, asked, access } = setUp();
  await Promise.all([access(request('/metrics', 'prom')), access(request('/metrics/cadvisor', 'prom'))]);
  t.strictSame(asked.splice(0), ['token prom', 'prom get nodes/n1/metrics'], 'at once or not');
  await clock.advance(119_000);
  await access(request('/metrics', 'prom'));
  t.strictSame(asked.splice(0), []);
  await clock.advance(1000);
  await access(request('/metrics', 'prom'));
  t.strictSame(asked.splice(0), ['token prom']);
  await clock.advance(180_000);
  await access(request('/metrics', 'prom'));
  t.strictSame(asked.splice(0), ['token prom', 'prom get nodes/n1/metrics']);
});

t.test('a refusal holds half a minute; the fine-grained name comes first, proxy last', async (t) => {
  const { clock, asked, state, access } = setUp();
  const refused = {
    code: 403,
    message: 'Forbidden (user=eve, verb=get, resource=nodes, subresource(s)=[pods proxy])',
  };
  await t.rejects(access(request('/pods', 'eve')), refused);
  t.strictSame(asked.splice(0), ['token eve', 'eve get nodes/n1/pods', 'eve get nodes/n1/proxy']);
  state.allowed.push('proxy');
  await t.rejects(access(request('/pods', 'eve')), refused);
  await clock.advance(30_000);
  await access(request('/pods', 'eve'));
  t.strictSame(asked.splice(0), ['eve get nodes/n1/pods', 'eve get nodes/n1/proxy']);
  await access(request('/containerLogs/a/b/c', 'eve'));
  await t.rejects(access(request('/logs/', 'eve')), { code: 403 }, 'proxy does not cover the log files');
});

t.test('nobody is anonymous; a master that is away says neither yes nor no', async (t) => {
  const { clock, state, access } = setUp();
  await t.rejects(access(request('/healthz')), { code: 401 });
  await t.rejects(access(request('/healthz', '')), { code: 401 });
  await t.rejects(access(request('/metrics', 'bad')), { code: 401 });
  await access(request('/metrics', 'prom'));
  state.isAway = true;
  await access(request('/metrics', 'prom'));
  await t.rejects(access(request('/metrics', 'other')), { code: 401 });
  await t.rejects(access(request('/stats/summary', 'prom')), { code: 500, message: /^Authorization error/ });
  state.isAway = false;
  await clock.advance(0);
  await access(request('/metrics', 'other'));
});

t.test('answers are bounded, and a failed question is forgotten', async (t) => {
  const cache = new AnswerCache<number>(createFakeClock(), () => 1000);
  await t.rejects(
    cache.get('a', async () => {
      throw new Error('no');
    }),
    { message: 'no' },
  );
  t.equal(await cache.get('a', async () => 1), 1);
  for (let n = 0; n < 5000; n += 1) await cache.get(`k${n}`, async () => n);
  t.equal(await cache.get('a', async () => 2), 2, 'the oldest went');
  t.equal(await cache.get('k4999', async () => 3), 4999);
});
