/**
 * Requests that no honest client sends, against a whole master: each is refused, with a Status where HTTP has room for one,
 * and nothing of it is done. Slow clients and floods: `slow.test.ts`.
 */
import t from 'tap';
import { isReason } from '../../src/api/errors.js';
import { configMaps } from '../../src/api/kinds.js';
import { cpuMsOf } from '../../src/testing/cpu.js';
import { startTarget } from './target.js';

const target = await startTarget();
t.teardown(() => target.stop());
const { client, tokens } = target;

const maps = '/api/v1/namespaces/default/configmaps';
const body = (name: string): string => JSON.stringify({ metadata: { name } });

interface Request {
  method?: string;
  path?: string;
  /** Lines without their end. */
  headers?: readonly string[];
  body?: string | Buffer;
  token?: string | null;
}

/** As sent; the connection is to be closed after it. */
function request({
  method = 'POST',
  path = maps,
  headers = [],
  body: sent = '',
  token = tokens.admin,
}: Request) {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'Host: master',
    ...(token === null ? [] : [`Authorization: Bearer ${token}`]),
    'Connection: close',
    ...headers,
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), Buffer.from(sent)]);
}

/** With its length and type. */
function posted(sent: string | Buffer, type = 'application/json', more: Request = {}): Buffer {
  const headers = [
    `Content-Type: ${type}`,
    `Content-Length: ${Buffer.byteLength(sent)}`,
    ...(more.headers ?? []),
  ];
  return request({ ...more, headers, body: sent });
}

async function exists(name: string): Promise<boolean> {
  try {
    await client.get(configMaps, { namespace: 'default', name });
    return true;
  } catch (error) {
    if (isReason(error, 'NotFound')) return false;
    throw error;
  }
}

/** What an attacker hides behind a request: it must never be done. */
const hidden = (name: string): string =>
  `POST ${maps} HTTP/1.1\r\nHost: master\r\nAuthorization: Bearer ${tokens.admin}\r\nContent-Type: application/json\r\nContent-Length: ${body(name).length}\r\nConnection: close\r\n\r\n${body(name)}`;

t.test('the way to ask works when it is honest', async (t) => {
  const { codes } = await target.say(posted(body('honest')));
  t.strictSame(codes, [201]);
  t.ok(await exists('honest'));
});

t.test('request smuggling', async (t) => {
  const json = 'Content-Type: application/json';
  const chunked = 'Transfer-Encoding: chunked';
  const own = body('own');
  const whole = `${own.length.toString(16)}\r\n${own}\r\n0\r\n\r\n`;
  const cases: Record<string, { headers: readonly string[]; body: string; method?: string }> = {
    'a length and chunks': { headers: [json, 'Content-Length: 4', chunked], body: whole },
    'chunks and a length': { headers: [json, chunked, 'Content-Length: 4'], body: whole },
    'two lengths': { headers: [json, 'Content-Length: 0', `Content-Length: ${own.length}`], body: own },
    'the same length twice': {
      headers: [json, `Content-Length: ${own.length}`, `Content-Length: ${own.length}`],
      body: own,
    },
    'a list of lengths': { headers: [json, `Content-Length: ${own.length}, 0`], body: own },
    'a length with a sign': { headers: [json, `Content-Length: +${own.length}`], body: own },
    'a length in hexadecimal': { headers: [json, `Content-Length: 0x${own.length.toString(16)}`], body: own },
    'a negative length': { headers: [json, 'Content-Length: -1'], body: own },
    'a length beyond all numbers': { headers: [json, 'Content-Length: 99999999999999999999999'], body: own },
    'chunks not named last': { headers: [json, 'Transfer-Encoding: chunked, identity'], body: whole },
    'chunks named twice': { headers: [json, chunked, 'Transfer-Encoding: identity'], body: whole },
    'an unknown encoding': { headers: [json, 'Transfer-Encoding: xchunked'], body: whole },
    'a space before the colon': { headers: [json, 'Transfer-Encoding : chunked'], body: whole },
    'a folded header': { headers: [json, 'X-A: b\r\n Transfer-Encoding: chunked'], body: whole },
    'a size that is none': { headers: [json, chunked], body: `zz\r\n${own}\r\n0\r\n\r\n` },
    'a size beyond all numbers': {
      headers: [json, chunked],
      body: `fffffffffffffffff\r\n${own}\r\n0\r\n\r\n`,
    },
    'a size with a sign': { headers: [json, chunked], body: `-1\r\n${own}\r\n0\r\n\r\n` },
    'a chunk longer than it says': { headers: [json, chunked], body: `2\r\n${own}\r\n0\r\n\r\n` },
    'chunks ended by line feeds': { headers: [json, chunked], body: whole.replaceAll('\r\n', '\n') },
    'a header without a colon': { headers: [json, 'X-Nothing'], body: '' },
    'a zero byte in a header': { headers: [json, 'X-A: a\0b'], body: '' },
    'a carriage return in a header': { headers: [json, 'X-A: a\rContent-Length: 5'], body: '' },
    'a second host': { headers: [json, 'Host: other'], body: '' },
  };
  for (const [name, how] of Object.entries(cases)) {
    const said = await target.say(Buffer.concat([request(how), Buffer.from(hidden('smuggled'))]));
    t.strictSame(said.codes, [400], `${name}: one answer, a refusal`);
    t.match(said.status, { code: 400, reason: 'BadRequest' }, `${name}: as a Status`);
    t.notOk(await exists('own'), `${name}: nothing of it is done`);
  }
  t.notOk(await exists('smuggled'), 'what is hidden behind is not done');
});

t.test('a body where none is expected is no second request', async (t) => {
  const within = hidden('smuggled');
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS']) {
    const path = `${maps}/nothing`;
    const said = await target.say(posted(within, 'application/json', { method, path }));
    t.equal(said.codes.length, 1, `${method}: one answer`);
  }
  t.notOk(await exists('smuggled'));
});

t.test('other versions of HTTP, and upgrades to them', async (t) => {
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
  const said = await target.say(preface + hidden('smuggled'));
  t.strictSame(said.codes, [400]);
  for (const upgrade of ['h2c', 'TLS/1.3', 'websocket'])
    for (const path of [maps, '/healthz', '/api/v1/nodes/n1/status']) {
      const headers = [
        'Connection: Upgrade, HTTP2-Settings',
        `Upgrade: ${upgrade}`,
        'HTTP2-Settings: AAMAAABk',
      ];
      const { codes } = await target.say(
        Buffer.concat([request({ method: 'GET', path, headers }), Buffer.from(hidden('smuggled'))]),
      );
      t.notOk(codes.includes(101), `${upgrade} of ${path}`);
      t.equal(codes.length, 1, 'and what follows is no request');
    }
  t.notOk(await exists('smuggled'));
});

t.test('headers that claim somebody else', async (t) => {
  const claims: [string[], number][] = [
    [['Impersonate-User: system:admin', 'Impersonate-Group: system:masters'], 403],
    [['impersonate-user: system:admin'], 403],
    [['Impersonate-Group: system:masters'], 400],
    [['Impersonate-Uid: 1'], 400],
    [['Impersonate-Extra-scopes: all'], 400],
    [['Impersonate-Extra-a%0d%0aImpersonate-User: x', 'Impersonate-User: x'], 403],
    [['X-Remote-User: system:admin', 'X-Remote-Group: system:masters'], 403],
    [['X-Forwarded-For: 127.0.0.1', 'X-Forwarded-User: system:admin'], 403],
  ];
  for (const [headers, code] of claims) {
    const said = await target.say(
      request({ method: 'GET', path: '/api/v1/secrets', headers, token: tokens.nobody }),
    );
    t.strictSame(said.codes, [code], headers.join(', '));
    t.equal(said.status?.kind, 'Status');
  }
  const unknown = request({
    method: 'GET',
    path: '/api/v1/secrets',
    headers: ['X-Remote-User: system:admin', 'X-Remote-Group: system:masters'],
    token: null,
  });
  t.notOk(
    (await target.say(unknown)).codes.includes(200),
    'the headers of a front proxy need its certificate',
  );
  const twice = request({
    method: 'GET',
    path: '/api/v1/secrets',
    headers: [`Authorization: Bearer ${tokens.admin}`],
    token: tokens.nobody,
  });
  t.notOk((await target.say(twice)).codes.includes(200), 'the second of two tokens does not count');
});

t.test('line ends in values never become headers of the answer', async (t) => {
  const field = 'a\r\nX-Injected: yes\r\n\r\n<html>';
  const warned = await target.say(
    posted(JSON.stringify({ metadata: { name: 'warned' }, [field]: 1 }), 'application/json', {
      path: `${maps}?fieldValidation=Warn`,
    }),
  );
  t.strictSame(warned.codes, [201]);
  t.match(warned.text, /^warning: 299/im);
  t.notMatch(warned.text, /^X-Injected:/m);
  const encoded = '%0d%0aX-Injected:%20yes';
  const paths = [
    `${maps}/a${encoded}`,
    `${maps}?fieldManager=a${encoded}`,
    `${maps}?labelSelector=a${encoded}`,
    `${maps}?continue=a${encoded}`,
    `/apis/a${encoded}/v1/x`,
    `/api/v1/nodes/n1${encoded}/proxy`,
    `/api/v1/nodes/n1/proxy?a=${encoded}`,
    `/api/v1/namespaces/default/pods/web/log?container=a${encoded}`,
  ];
  for (const path of paths)
    for (const method of ['GET', 'POST']) {
      const said = await target.say(posted(body('x'), 'application/json', { method, path }));
      t.equal(said.codes.length, 1, `${method} ${path}`);
      t.notMatch(said.text, /^X-Injected:/im);
    }
  for (const header of ['Accept', 'User-Agent', 'Audit-Id', 'Origin', 'Traceparent']) {
    const said = await target.say(
      request({
        method: 'GET',
        path: `${maps}?limit=1`,
        headers: [`${header}: a\u0085X-Injected: yes\u2028X-Injected: yes`],
      }),
    );
    t.notMatch(said.text, /X-Injected/, header);
  }
});

t.test('a path cannot leave where it begins', async (t) => {
  const outside = ['..', '%2e%2e', '%2E.', '..;', '.%00.', '..%5c..', '..%2f..', '%252e%252e'];
  for (const step of outside) {
    for (const path of [
      `/healthz/${step}/api/v1/secrets`,
      `/api/v1/namespaces/default/${step}/kube-system/secrets`,
      `/api/v1/namespaces/default/configmaps/${step}/${step}/secrets`,
      `/openid/v1/${step}/${step}/api/v1/secrets`,
    ]) {
      const said = await target.say(request({ method: 'GET', path, token: tokens.nobody }));
      t.ok([400, 401, 403, 404].includes(said.codes[0] ?? 0), `${path}: ${said.codes}`);
      t.notMatch(said.text, /SecretList/);
    }
  }
});

t.test('behind a proxy nothing is asked of the agent but what lies behind the node', async (t) => {
  target.agentSaw();
  const node = '/api/v1/nodes/n1/proxy';
  const paths: Record<string, string | undefined> = {
    '/pods': '/pods',
    '/logs/../../../pods': '/pods',
    '/logs/%2e%2e/%2e%2e/pods': '/pods',
    '/logs/.%2e/pods': '/pods',
    '/logs/..%2f..%2fetc/passwd': '/logs/..%2f..%2fetc/passwd',
    '/logs/..%5c..%5cetc': '/logs/..%5c..%5cetc',
    '/logs\\..\\..\\etc': '/logs%5C..%5C..%5Cetc',
    '//other.example/pods': '/other.example/pods',
  };
  for (const [path, seen] of Object.entries(paths)) {
    const { codes } = await target.say(request({ method: 'GET', path: node + path }));
    t.strictSame(target.agentSaw(), seen === undefined ? [] : [seen], path);
    t.strictSame(codes, [seen === undefined ? 400 : 200]);
  }
  const elsewhere = [
    `${node}/../../../pods/web/log`,
    `/api/v1/nodes/n1/proxy/../../n1/proxy/pods`,
    `/api/v1/nodes/..%2fn1/proxy/pods`,
    `/api/v1/nodes/n1@other.example/proxy/pods`,
    `/api/v1/nodes/n1%23/proxy/pods`,
    `/api/v1/nodes/http:n1:1@x/proxy/pods`,
    `/api/v1/nodes/n1:22/proxy/`,
    `/api/v1/nodes/localhost:10250/proxy/`,
  ];
  for (const path of elsewhere) {
    await target.say(request({ method: 'GET', path, token: tokens.nobody }));
    t.strictSame(target.agentSaw(), [], `${path} by nobody`);
  }
  const own = await target.say(request({ method: 'GET', path: '/api/v1/nodes/n1:22/proxy/' }));
  t.match(
    own.status,
    { code: 400, message: 'address not allowed' },
    'the loopback of the master is out of reach',
  );
});

t.test('names of logs and containers stay names', async (t) => {
  target.agentSaw();
  const log = '/api/v1/namespaces/default/pods';
  const bad = [
    `${log}/web/log?container=..%2f..%2fetc`,
    `${log}/web/log?container=web%00`,
    `${log}/..%2fweb/log`,
    `${log}/%2e%2e/log`,
    `${log}/web%2flog/log`,
    `${log}/web/log?container=web&tailLines=1%0d%0a`,
    `/api/v1/namespaces/..%2fdefault/pods/web/log`,
    `/api/v1/namespaces/%2e%2e/pods/web/log`,
  ];
  for (const path of bad) {
    const said = await target.say(request({ method: 'GET', path }));
    t.ok([400, 404].includes(said.codes[0] ?? 0), `${path}: ${said.codes}`);
    t.equal(said.status?.kind, 'Status');
  }
  t.strictSame(target.agentSaw(), []);
  await target.say(request({ method: 'GET', path: `${log}/web/log?container=web&previous=1%26x&foo=bar` }));
  t.strictSame(
    target.agentSaw(),
    ['/containerLogs/default/web/web?previous=1%26x'],
    'nothing else is passed on',
  );
});

t.test('bodies that would cost more than they are worth', async (t) => {
  const deep = (open: string, close: string, times: number): string =>
    open.repeat(times) + close.repeat(times);
  const yaml = 'application/yaml';
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefghi'
      .split('')
      .map((key, index) => `${key}: &${key} [${Array(9).fill(`*${'abcdefgh'[index]}`)}]`),
  ].join('\n');
  const big = 'x'.repeat(3 * 1024 * 1024);
  const cases: Record<string, [Buffer, number]> = {
    'JSON, deep in lists': [posted(deep('[', ']', 100_000)), 400],
    'JSON, deep in objects': [posted(deep('{"a":', '}', 100_000).replace('}', '1}')), 400],
    'JSON, deep and never closed': [posted('['.repeat(1_000_000)), 400],
    'YAML, deep in lists': [posted(deep('[', ']', 100_000), yaml), 400],
    'YAML, deep in steps': [posted(`a: ${'- '.repeat(50_000)}1`, yaml), 400],
    'YAML, aliases of aliases': [posted(`metadata: {name: bomb}\n${bomb}`, yaml), 400],
    'YAML, an alias of itself': [posted('&a {metadata: {name: self}, data: *a}', yaml), 400],
    'YAML, merged keys': [posted(`${bomb}\n<<: [*a, *b]\nmetadata: {name: bomb}`, yaml), 400],
    'an object of prototypes': [
      posted('{"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}}}'),
      400,
    ],
    'no JSON at all': [posted('\0\0\0'), 400],
    'half of a character': [posted(Buffer.from([0x22, 0xff, 0xfe])), 400],
    'more than is taken, by its length': [posted(`{"metadata":{"name":"big"},"data":{"a":"${big}"}}`), 413],
    'more than is taken, in chunks': [
      request({
        headers: ['Content-Type: application/json', 'Transfer-Encoding: chunked'],
        body: `${(big.length + 1).toString(16)}\r\n"${big}\r\n0\r\n\r\n`,
      }),
      413,
    ],
    compressed: [
      posted(Buffer.from([0x1f, 0x8b, 8, 0]), 'application/json', { headers: ['Content-Encoding: gzip'] }),
      400,
    ],
    'another type': [posted('<xml/>', 'text/xml'), 415],
  };
  for (const [name, [bytes, code]] of Object.entries(cases)) {
    const said = await target.say(bytes);
    t.strictSame(said.codes, [code], name);
    t.match(said.status, { kind: 'Status', code }, name);
  }
  t.equal(({} as Record<string, unknown>)['admin'], undefined);
});

t.test('protobuf that is none', async (t) => {
  const type = 'application/vnd.kubernetes.protobuf';
  const magic = Buffer.from('k8s\0');
  const meta = Buffer.from('\x0a\x0f\x0a\x02v1\x12\x09ConfigMap', 'binary');
  const raw = (bytes: number[]): Buffer =>
    Buffer.concat([magic, meta, Buffer.from([0x12, bytes.length, ...bytes])]);
  const cases: Record<string, Buffer> = {
    nothing: Buffer.alloc(0),
    'the magic alone': magic,
    'no magic': Buffer.from('hello'),
    zeroes: Buffer.concat([magic, Buffer.alloc(1000)]),
    'all ones': Buffer.concat([magic, Buffer.alloc(1000, 0xff)]),
    'a length beyond the end': Buffer.concat([magic, meta, Buffer.from([0x12, 0x7f, 0x0a])]),
    'a length beyond all numbers': raw([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
    'a number that never ends': raw([0x08, ...Array<number>(20).fill(0x80)]),
    'groups in groups': raw(Array<number>(100).fill(0x0b)),
    'another wire type': raw([0x09, 1, 2, 3, 4, 5, 6, 7, 8]),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    const said = await target.say(posted(bytes, type));
    t.ok([400, 422].includes(said.codes[0] ?? 0), `${name}: ${said.codes}`);
    t.equal(said.status?.kind, 'Status', name);
  }
});

t.test('patches that grow', async (t) => {
  await client.create(configMaps, {
    metadata: { name: 'grown', namespace: 'default' },
    data: { a: 'x'.repeat(1000) },
  });
  const path = `${maps}/grown`;
  const patch = (operations: object[], type = 'application/json-patch+json'): Buffer =>
    posted(JSON.stringify(operations), type, { method: 'PATCH', path });
  const doubling = Array.from({ length: 40 }, (_, index) => ({
    op: 'copy',
    from: '/data',
    path: `/data/k${index}`,
  }));
  const grown = await target.say(patch(doubling));
  t.match(grown.status, { kind: 'Status', code: 422 }, 'copies of copies');
  t.match(grown.text, /the accumulated size increase of copy is \d+, exceeding the limit 3145728/);
  const many = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/kind', value: 'ConfigMap' }));
  t.match((await target.say(patch(many))).status, { kind: 'Status', code: 413 }, 'more steps than are taken');
  const proto = await target.say(patch([{ op: 'add', path: '/__proto__/admin', value: true }]));
  t.ok((proto.codes[0] ?? 0) >= 400);
  const merged = `${'{"data":'.repeat(5000)}1${'}'.repeat(5000)}`;
  const deep = await target.say(posted(merged, 'application/merge-patch+json', { method: 'PATCH', path }));
  t.match(deep.status, { kind: 'Status', code: 400 }, 'a deep merge');
});

t.test(
  'a length that the client calls a header of its connection hides no request to the agent',
  async (t) => {
    const inner = Buffer.from('GET /runningpods/ HTTP/1.1\r\nHost: n1\r\n\r\n');
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS']) {
      target.agentSaw();
      const headers = ['Connection: content-length', `Content-Length: ${inner.length}`];
      const path = '/api/v1/nodes/n1/proxy/healthz';
      const said = await target.say(request({ method, path, headers, body: inner }));
      t.strictSame(said.codes, [200], method);
      t.strictSame(target.agentSaw(), ['/healthz'], `${method}: one request`);
    }
  },
);

t.test('a pod whose ports are all the same is not compared with itself for ever', async (t) => {
  const ports = Array.from({ length: 10 }, (_, index) => ({ containerPort: index + 1 }));
  const containers = Array.from({ length: 2_000 }, (_, index) => ({ name: `c${index}`, image: 'a', ports }));
  const pod = JSON.stringify({ metadata: { name: 'ports' }, spec: { containers } });
  const path = '/api/v1/namespaces/default/pods?dryRun=All';
  const costMs = await cpuMsOf(async () =>
    t.strictSame((await target.say(posted(pod, 'application/json', { path }))).codes, [201]),
  );
  t.ok(costMs < 10_000);
});

t.test('heads that are too large', async (t) => {
  const long = await target.say(
    request({ method: 'GET', path: `${maps}?labelSelector=${'a'.repeat(70_000)}` }),
  );
  t.match(long.status, { kind: 'Status', code: 431 });
  const many = Array.from({ length: 2_000 }, (_, index) => `X-${index}: a`);
  const said = await target.say(request({ method: 'GET', headers: many }));
  t.match(said.status, { kind: 'Status', code: 400, message: 'the request has too many headers' });
});

t.test('after all of it the master serves as before', async (t) => {
  const { items } = await client.list(configMaps, { namespace: 'default' });
  t.ok(items.some(({ metadata }) => metadata.name === 'honest'));
  t.notOk(items.some(({ metadata }) => ['smuggled', 'own', 'bomb', 'big'].includes(metadata.name ?? '')));
});
