/**
 * Requests for another protocol at moments they must not come, and answers that no honest agent, pod or aggregated API gives:
 * the master goes on, and tells the client or hangs up. Each of these once stopped it, or was never answered.
 */
import t from 'tap';
import { startTarget } from './target.js';

const target = await startTarget();
t.teardown(() => target.stop());

const upgrade = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
];

const get = (path: string, headers: readonly string[]): string =>
  `${[`GET ${path} HTTP/1.1`, 'Host: master', ...headers].join('\r\n')}\r\n\r\n`;

const bearer = `Authorization: Bearer ${target.tokens.admin}`;
const pod = '/api/v1/namespaces/default/pods/web';
const exec = `${pod}/exec?command=x&stdout=1`;

async function isAlive(): Promise<boolean> {
  const { codes } = await target.say(get('/healthz', ['Connection: close']));
  return codes[0] === 200;
}

t.test('an upgrade behind a request that is not answered yet', async (t) => {
  for (const first of ['/healthz', '/api/v1/pods', '/api/v1/pods?watch=1'])
    for (const second of ['/nothing', exec])
      for (const who of [[], [bearer]]) {
        const said = await target.say(get(first, who) + get(second, [...who, ...upgrade]));
        t.notMatch(said.text, / 101 /, `${first}, then ${second}`);
      }
  t.strictSame(target.agentSaw(), [], 'nothing of it is done');
  t.ok(await isAlive());
  const { text } = await target.say(get('/healthz', []) + get('/healthz', ['Connection: close']));
  t.equal(text.match(/HTTP\/1\.1 200 /g)?.length, 2, 'plain requests may come at once');
});

const head = 'content-length: 0\r\n\r\n';
const refusal = (body: string): string =>
  `HTTP/1.1 403 Forbidden\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

const lies: Readonly<Record<string, string>> = {
  'a code below 100': `HTTP/1.1 099 X\r\n${head}`,
  'a code of zero': `HTTP/1.1 000 X\r\n${head}`,
  'a 101 that changes nothing': `HTTP/1.1 101 X\r\n${head}`,
  'a 101 that nobody asked for': 'HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nPRI',
  'information and no answer': `HTTP/1.1 103 X\r\n\r\n`,
  'control characters in the first line': `HTTP/1.1 200 O\x01K\r\n${head}`,
  'an answer that breaks off': 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc',
  'chunks that are none': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc',
  'a page that is not packed as it says':
    'HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc',
  'a refusal that breaks off': 'HTTP/1.1 403 X\r\ncontent-length: 100\r\n\r\nabc',
  'a reason of every object': refusal('{"kind":"Status","reason":"toString","details":null}'),
  'words where others are wanted': refusal('{"kind":"Status","message":{},"details":"x","reason":["x"]}'),
  'a line feed for a header': refusal('{"kind":"Status","details":{"retryAfterSeconds":"1\\r\\nx: y"}}'),
  'no HTTP': '\0\x01\x02',
  nothing: '',
};

for (const [lie, bytes] of Object.entries(lies))
  t.test(`a node or pod that answers ${lie}`, async (t) => {
    target.agentSays(bytes);
    for (const path of ['/api/v1/nodes/n1/proxy/x', `${pod}/log`, exec])
      for (const headers of [['Connection: close'], upgrade]) {
        const { text, codes } = await target.say(get(path, [bearer, ...headers]));
        t.notMatch(text, /^x: y/m);
        const isSwitched = codes[0] === 101;
        t.ok(!isSwitched || headers === upgrade, `${path} is not switched unasked`);
        t.ok(isSwitched || codes.length > 0 || text === '', 'an answer, or none');
      }
    t.ok(await isAlive());
    target.agentSaw();
  });

t.test('what the client is told of it', async (t) => {
  target.agentSays(lies['a refusal that breaks off']);
  const { status } = await target.say(get(exec, [bearer, ...upgrade]));
  t.match(status, { code: 503, message: /^the agent of node "n1" cannot be reached: / });
  target.agentSays(lies['a 101 that nobody asked for']);
  const unasked = await target.say(get(`${pod}/log`, [bearer, 'Connection: close']));
  t.match(unasked.status, { code: 503, message: /closed without an answer$/ });
  target.agentSays(lies['a 101 that changes nothing']);
  const proxied = await target.say(get('/api/v1/nodes/n1/proxy/x', [bearer, 'Connection: close']));
  t.match(proxied.status, { code: 503, message: 'error trying to reach service: it answered 101' });
});
