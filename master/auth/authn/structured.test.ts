/** AuthenticationConfiguration: what a file means, and what is wrong with others. */
import t from 'tap';
import { stringify } from 'yaml';
import { readStructured } from './structured.js';

const issuer = { url: 'https://a.example', audiences: ['me'] };
const jwt = { issuer, claimMappings: { username: { claim: 'sub', prefix: '' } } };

const fileOf = (more: object): string =>
  stringify({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AuthenticationConfiguration', ...more });
const read = (more: object) => readStructured(fileOf(more), ['https://own.example']);

t.test('issuers', async (t) => {
  const { issuers, anonymousPaths } = read({
    jwt: [
      jwt,
      {
        issuer: {
          ...{ url: 'https://b.example', discoveryURL: 'https://c.example/discovery' },
          ...{ audiences: ['x', 'y'], audienceMatchPolicy: 'MatchAny' },
        },
        claimValidationRules: [
          { claim: 'hd', requiredValue: 'example.com' },
          { expression: 'claims.exp - claims.nbf <= 86400', message: 'for too long' },
        ],
        claimMappings: {
          username: { expression: "claims.email_verified ? claims.email : ''" },
          groups: { claim: 'roles', prefix: 'b:' },
          uid: { claim: 'sub' },
          extra: [{ key: 'example.com/tenant', valueExpression: 'claims.tenant' }],
        },
        userValidationRules: [{ expression: "!user.username.startsWith('system:')" }],
      },
    ],
  });
  t.match(issuers, [
    {
      url: 'https://a.example',
      discoveryUrl: 'https://a.example/.well-known/openid-configuration',
      audiences: ['me'],
      username: { claim: 'sub', prefix: '' },
    },
    {
      discoveryUrl: 'https://c.example/discovery',
      requiredClaims: { hd: 'example.com' },
      claimRules: [{ message: 'for too long' }],
      groups: { claim: 'roles', prefix: 'b:' },
      uid: { claim: 'sub', prefix: '' },
      extra: [{ key: 'example.com/tenant' }],
      userRules: [{}],
    },
  ]);
  t.equal(anonymousPaths, undefined);
});

t.test('requests without credentials', async (t) => {
  t.equal(read({ anonymous: { enabled: true } }).anonymousPaths, undefined, 'the usual paths');
  t.same([...(read({ anonymous: { enabled: false } }).anonymousPaths ?? ['?'])], []);
  const conditions = [{ path: '/livez' }];
  t.same([...(read({ anonymous: { enabled: true, conditions } }).anonymousPaths ?? [])], ['/livez']);
  t.throws(() => read({ anonymous: { enabled: false, conditions } }), /must be empty/);
});

t.test('what is wrong', async (t) => {
  const bad = (more: object, wanted: RegExp) => t.throws(() => read(more), wanted);
  const one = (more: object) => ({ jwt: [{ ...jwt, ...more }] });
  const mapped = (claimMappings: object) => one({ claimMappings });
  const username = jwt.claimMappings.username;
  t.throws(() => readStructured('[]', []), /^the file: must be an object/);
  bad({ kind: 'Pod' }, /^kind: must be/);
  bad({ apiVersion: 'v1' }, /^apiVersion: must be one of/);
  bad({ jwt: {} }, /^jwt: must be a list/);
  bad(one({ more: 1 }), /jwt\[0\]\.more: unknown field/);
  bad(one({ issuer: { ...issuer, url: 'http://a.example' } }), /jwt\[0\]\.issuer\.url: must be an https/);
  bad(one({ issuer: { ...issuer, url: 'https://own.example' } }), /used twice/);
  bad({ jwt: [jwt, jwt] }, /jwt\[1\]\.issuer\.url: is used twice/);
  bad(one({ issuer: { ...issuer, audiences: [] } }), /audiences: is required/);
  bad(one({ issuer: { ...issuer, audiences: ['a', 'b'] } }), /MatchAny/);
  bad(one({ issuer: { ...issuer, discoveryURL: issuer.url } }), /another one than url/);
  bad(one({ issuer: { ...issuer, certificateAuthority: 'x' } }), /no certificate/);
  bad(mapped({}), /username: must be an object/);
  bad(mapped({ username: { claim: 'sub' } }), /username\.prefix: is required/);
  bad(mapped({ username: { ...username, expression: 'claims.sub' } }), /exclude each other/);
  bad(mapped({ username: { expression: 'claims.' } }), /username\.expression: /);
  bad(mapped({ username: { expression: 'claims.email' } }), /email_verified must be used/);
  bad(mapped({ username, extra: [{ key: 'k8s.io/x', valueExpression: "''" }] }), /reserved domain/);
  bad(mapped({ username, extra: [{ key: 'plain', valueExpression: "''" }] }), /behind a domain/);
  bad(one({ userValidationRules: [{ expression: '1 + 1' }] }), /must evaluate to bool/);
  bad(one({ claimValidationRules: [{ claim: 'a', requiredValue: 'b', message: 'c' }] }), /expressions only/);
});
