/** Issuers outside and the token webhook, over HTTPS, with a clock that stands still. */
import { generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import t, { type Test } from 'tap';
import { compile } from '../../../src/api/cel/program.js';
import type { Logger } from '../../../src/host/log.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import { issuerOfFlags, type JwtIssuer } from './jwtconfig.js';
import { createJwtTokens } from './jwttokens.js';
import { authenticationOptions } from './options.js';
import { createOutbound } from './outbound.js';
import { createMemoryLog, createOutsideIssuer, createOutsideServer, type OutsideIssuer } from './testing.js';
import { createWebhookTokens } from './webhooktokens.js';

const clock = createFakeClock(new Date().toISOString());

function issuerOf(outside: OutsideIssuer, flags: Record<string, string> = {}): JwtIssuer {
  const { oidc } = authenticationOptions({
    ...{ oidcIssuerUrl: outside.url, oidcClientId: 'kubernetes', oidcGroupsClaim: 'groups' },
    ...flags,
  });
  if (!oidc) throw new Error('no issuer');
  return issuerOfFlags(oidc, outside.ca);
}

function tokensOf(t: Test, issuer: JwtIssuer, log: Logger = createMemoryLog().log) {
  const tokens = createJwtTokens({ issuer, clock, log });
  t.teardown(() => tokens.stop());
  return tokens;
}

async function outsideIssuer(t: Test): Promise<OutsideIssuer> {
  const outside = await createOutsideIssuer();
  t.teardown(() => outside.close());
  return outside;
}

t.test('who shows a token of an outside issuer', async (t) => {
  const outside = await outsideIssuer(t);
  const who = async (claims: object, flags: Record<string, string> = {}) =>
    tokensOf(t, issuerOf(outside, flags)).find(await outside.sign({ ...claims }, clock.now()));
  t.strictSame(await who({ groups: ['dev', 'ops'], jti: 'x' }), {
    name: `${outside.url}#jane`,
    groups: ['dev', 'ops'],
    extra: { 'authentication.kubernetes.io/credential-id': ['JTI=x'] },
  });
  t.strictSame(await who({ groups: 'dev' }, { oidcUsernamePrefix: '-', oidcGroupsPrefix: 'oidc:' }), {
    ...{ name: 'jane', groups: ['oidc:dev'] },
  });
  t.match(await who({}, { oidcUsernamePrefix: 'out:' }), { name: 'out:jane', groups: [] });
  const byMail = { oidcUsernameClaim: 'email' };
  const email = 'jane@example.com';
  t.match(await who({ email, email_verified: true }, byMail), { name: email });
  t.match(await who({ email }, byMail), { name: email });
  t.equal(await who({ email, email_verified: false }, byMail), undefined);
  t.equal(await who({ email, email_verified: 'true' }, byMail), undefined);
  t.equal(await who({}, byMail), undefined, 'no such claim');
  const required = { oidcRequiredClaim: 'team=a,tier=gold' };
  t.ok(await who({ team: 'a', tier: 'gold' }, required));
  t.equal(await who({ team: 'a' }, required), undefined);
  t.equal(await who({ team: 'b', tier: 'gold' }, required), undefined);
  t.equal(await who({ groups: [1] }), undefined);
  t.equal(await who({ sub: '' }), undefined);
  t.equal(await who({ sub: ['a', 'b'] }), undefined);
});

t.test('tokens that are not good, or not for us', async (t) => {
  const outside = await outsideIssuer(t);
  const { records, log } = createMemoryLog();
  const tokens = tokensOf(t, issuerOf(outside), log);
  const seconds = clock.now().getTime() / 1000;
  const find = async (claims: object) => tokens.find(await outside.sign({ ...claims }, clock.now()));
  t.ok(await find({}));
  t.ok(await find({ aud: ['other', 'kubernetes'] }));
  t.equal(await find({ aud: 'other' }), undefined);
  t.equal(await find({ iss: 'https://else.example' }), undefined);
  t.equal(await find({ exp: Math.floor(seconds) }), undefined, 'over');
  t.equal(await find({ exp: undefined }), undefined, 'without an end');
  t.equal(await find({ nbf: Math.ceil(seconds) + 301 }), undefined);
  const claims = { iss: outside.url, aud: 'kubernetes', sub: 'root', exp: seconds + 100 };
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const forged = (alg: string, key: Parameters<SignJWT['sign']>[0]) =>
    new SignJWT(claims).setProtectedHeader({ alg, kid: 'first' }).sign(key);
  t.equal(await tokens.find(await forged('RS256', stranger)), undefined);
  t.equal(
    await tokens.find(await forged('PS256', stranger)),
    undefined,
    'an algorithm that was not asked for',
  );
  t.equal(await tokens.find(await forged('HS256', Buffer.from('secret'.repeat(8)))), undefined);
  const none = [{ alg: 'none' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  t.equal(await tokens.find(`${none.join('.')}.x`), undefined);
  t.equal(await tokens.find('a.b.c'), undefined);
  const before = outside.asked.length;
  t.equal(await tokens.find('no-jwt'), undefined);
  t.equal(outside.asked.length, before, 'nobody is asked about what is no token of the issuer');
  t.notMatch(JSON.stringify(records), /eyJ/, 'no token in the log');
});

t.test('keys: kept, fetched anew, and an issuer that is away', async (t) => {
  const outside = await outsideIssuer(t);
  const tokens = tokensOf(t, issuerOf(outside));
  const sign = () => outside.sign({}, clock.now());
  outside.setAway(true);
  await tokens.start(new AbortController().signal);
  t.equal(await tokens.find(await sign()), undefined);
  const asked = outside.asked.length;
  t.equal(await tokens.find(await sign()), undefined);
  t.equal(outside.asked.length, asked, 'asked at most every ten seconds');
  outside.setAway(false);
  await clock.advance(10_000);
  t.ok(await tokens.find(await sign()));
  t.ok(await tokens.find(await sign()));
  t.equal(outside.asked.length, asked + 2, 'once for the document and the keys');
  outside.rotate('second');
  await clock.advance(10_000);
  t.ok(await tokens.find(await sign()), 'a new key is looked for');
  outside.setAway(true);
  await clock.advance(20 * 60_000);
  t.ok(await tokens.find(await sign()), 'known keys go on');
});

t.test('an issuer that says it is another one, or whose certificate nobody knows', async (t) => {
  const outside = await outsideIssuer(t);
  const { records, log } = createMemoryLog();
  const token = await outside.sign({}, clock.now());
  const { ca: _, ...stranger } = issuerOf(outside);
  t.equal(await tokensOf(t, { ...stranger, ca: undefined }, log).find(token), undefined);
  const url = outside.url.replace('127.0.0.1', 'localhost');
  const moved = await outside.sign({ iss: url }, clock.now());
  const config = { ...issuerOf(outside), url };
  t.equal(await tokensOf(t, config, log).find(moved), undefined);
  t.match(JSON.stringify(records), /certificate/);
  t.match(JSON.stringify(records), /is the document of/);
});

t.test('expressions', async (t) => {
  const outside = await outsideIssuer(t);
  const over = (expression: string) => ({
    program: compile(expression, { variables: { claims: 'dyn', user: 'dyn' } }),
  });
  const issuer: JwtIssuer = {
    ...issuerOf(outside),
    claimRules: [{ ...over("claims.hd == 'example.com'"), message: 'another domain' }],
    username: over("'out:' + claims.sub"),
    groups: over("claims.roles.split(',')"),
    uid: over('claims.uid'),
    extra: [{ key: 'example.com/tenant', value: over('claims.tenant').program }],
    userRules: [{ ...over("!user.username.startsWith('out:system:')"), message: 'a reserved name' }],
  };
  const { records, log } = createMemoryLog();
  const tokens = tokensOf(t, issuer, log);
  const claims = { hd: 'example.com', roles: 'a,b', uid: 'u', tenant: 't' };
  const find = async (more: object) => tokens.find(await outside.sign({ ...claims, ...more }, clock.now()));
  t.strictSame(await find({}), {
    ...{ name: 'out:jane', groups: ['a', 'b'], uid: 'u' },
    extra: { 'example.com/tenant': ['t'] },
  });
  t.equal(await find({ hd: 'else' }), undefined);
  t.equal(await find({ sub: 'system:admin' }), undefined);
  t.equal(await find({ roles: undefined }), undefined, 'cannot be evaluated');
  t.match(JSON.stringify(records), /another domain.*a reserved name.*cannot be evaluated/);
});

t.test('the token webhook', async (t) => {
  const reviews: { spec: { token: string; audiences: string[] } }[] = [];
  const shown: unknown[] = [];
  let isBroken = false;
  const server = await createOutsideServer((_path, body, request) => {
    reviews.push(JSON.parse(body));
    shown.push(request.headers.authorization);
    if (isBroken) return undefined;
    const { token } = JSON.parse(body).spec;
    const user = { username: 'jane', uid: 'u', groups: ['dev'], extra: { 'example.com/x': ['y'] } };
    const audiences = token === 'other-audience' ? ['other'] : undefined;
    return { status: token === 'bad' ? { authenticated: false } : { authenticated: true, user, audiences } };
  });
  t.teardown(() => server.close());
  const { records, log } = createMemoryLog();
  const webhook = createWebhookTokens({
    access: { server: `${server.url}/review`, ca: server.ca, token: 'own-secret' },
    ...{ version: 'v1', cacheTtlMs: 120_000, audiences: ['api'], clock, log },
  });
  t.teardown(() => webhook.stop());
  t.strictSame(await webhook.find('good'), {
    user: {
      ...{ name: 'jane', uid: 'u', groups: ['dev', 'system:authenticated'] },
      extra: { 'example.com/x': ['y'] },
    },
    audiences: ['api'],
  });
  t.match(reviews, [
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token: 'good', audiences: ['api'] },
    },
  ]);
  t.same(shown, ['Bearer own-secret']);
  t.ok(await webhook.find('good'));
  t.equal(await webhook.find('bad'), undefined);
  t.equal(await webhook.find('bad'), undefined);
  t.equal(reviews.length, 2, 'good and bad answers are kept');
  t.equal(await webhook.find('other-audience'), undefined);
  t.match(await webhook.find('other-audience', ['other', 'third']), { audiences: ['other'] });
  await Promise.all([webhook.find('at-once'), webhook.find('at-once'), webhook.find('at-once')]);
  t.equal(reviews.filter(({ spec }) => spec.token === 'at-once').length, 1, 'asked once for all who wait');
  isBroken = true;
  t.ok(await webhook.find('good'), 'still kept');
  await clock.advance(120_000);
  t.equal(await webhook.find('good'), undefined);
  isBroken = false;
  t.ok(await webhook.find('good'), 'a failure is not kept');
  t.match(JSON.stringify(records), /gave no answer/);
  t.notMatch(JSON.stringify(records), /good|own-secret|at-once/, 'no token in the log');
});

t.test('a token webhook whose users have no measure', async (t) => {
  let asked: string[] = [];
  const server = await createOutsideServer((_path, body) => {
    const { token } = JSON.parse(body).spec;
    asked.push(token);
    const groups = Array.from({ length: token === 'huge' ? 6000 : 4800 }, (_, n) => `group-${n}`.padEnd(10));
    const extra = JSON.parse('{"__proto__": ["x"], "constructor": ["y"]}');
    const user = {
      username: 'ja\r\nne\u001b[2J',
      groups: token === 'odd' ? [null, {}, 'dev'] : groups,
      extra,
    };
    return { status: { authenticated: true, user }, __proto__: { authenticated: true } };
  });
  t.teardown(() => server.close());
  const { records, log } = createMemoryLog();
  const webhook = createWebhookTokens({
    access: { server: server.url, ca: server.ca },
    ...{ version: 'v1', cacheTtlMs: 120_000, audiences: ['api'], clock, log },
  });
  t.teardown(() => webhook.stop());
  const odd = (await webhook.find('odd'))?.user;
  t.same(odd?.groups, ['dev', 'system:authenticated']);
  t.same(Object.keys(odd?.extra ?? {}), ['__proto__', 'constructor'], 'names like others');
  t.equal(Object.getPrototypeOf(odd?.extra), Object.prototype);
  t.equal(await webhook.find('huge'), undefined);
  t.match(JSON.stringify(records), /takes more than 65536 bytes/);
  const tokens = Array.from({ length: 290 }, (_, n) => `t${n}`);
  for (const token of tokens) t.ok(await webhook.find(token));
  asked = [];
  t.ok(await webhook.find('t289'));
  t.same(asked, [], 'kept');
  t.ok(await webhook.find('t0'));
  t.same(asked, ['t0'], 'the oldest made room');
});

t.test('a server that sends hints for ever is hung up on', async (t) => {
  let sent = 0;
  const server = await createOutsideServer((_path, _body, { socket }) => {
    while (sent < 1000) {
      sent += 1;
      socket.write('HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n');
    }
    return {};
  });
  t.teardown(() => server.close());
  const outbound = createOutbound({ ca: server.ca, timeoutMs: 30_000, clock });
  await t.rejects(outbound.json(server.url), { message: `${server.url}: hints and no answer` });
  await outbound.close();
});

t.test('flags', async (t) => {
  const bad = (raw: Record<string, string>, wanted: RegExp) =>
    t.throws(() => authenticationOptions(raw), wanted);
  bad({ oidcIssuerUrl: 'https://x.example' }, /must be given together/);
  bad({ oidcIssuerUrl: 'http://x.example', oidcClientId: 'a' }, /--oidc-issuer-url: .* must be an https/);
  bad({ oidcIssuerUrl: 'https://x.example', oidcClientId: 'a', oidcSigningAlgs: 'HS256' }, /unknown/);
  bad({ oidcIssuerUrl: 'https://x.example', oidcClientId: 'a', oidcRequiredClaim: 'x' }, /claim=value/);
  bad({ serviceAccountIssuer: 'x' }, /https/);
  bad({ serviceAccountMaxTokenExpiration: '10m' }, /at least 1h/);
  bad({ anonymousAuth: 'yes' }, /true or false/);
  bad({ serviceAccountKeyFile: 'a.pem' }, /absolute path/);
  bad({ authenticationTokenWebhookVersion: 'v2' }, /v1 or v1beta1/);
  t.match(authenticationOptions({ requestheaderClientCaFile: '/a', requestheaderGroupHeaders: 'X-A,X-B' }), {
    frontProxy: {
      caFile: '/a',
      allowedNames: [],
      groupHeaders: ['x-a', 'x-b'],
      userHeaders: ['x-remote-user'],
    },
    serviceAccounts: { issuers: ['https://kubernetes.default.svc.cluster.local'] },
  });
});
