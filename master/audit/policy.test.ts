/** Which rule decides about a request, what a policy file may say, and what never gets into the log. */
import t from 'tap';
import { parseRequest } from '../http/request.js';
import { auditOptions } from './options.js';
import { parsePolicy, verdictOf } from './policy.js';
import { redactionOf, safeUrl, withoutManagedFields } from './redact.js';

const policy = parsePolicy(`
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
  - level: None
    users: [quiet]
    verbs: [get, list]
  - level: None
    nonResourceURLs: ['/healthz*', /version]
  - level: RequestResponse
    userGroups: [watched]
    namespaces: [prod]
    omitStages: [ResponseStarted]
    omitManagedFields: false
  - level: Request
    resources:
      - group: ''
        resources: [pods/exec, 'services/*', '*/status']
      - group: apps
  - level: Metadata
    resources:
      - group: ''
        resources: [secrets]
        resourceNames: [one]
  - level: Metadata
    namespaces: ['']
    resources:
      - group: ''
        resources: ['*']
  - level: Metadata
    nonResourceURLs: ['*']
`);

const levelOf = (method: string, url: string, name = 'u', groups: string[] = []): string => {
  const { verb, path, target } = parseRequest(method, url);
  return verdictOf(policy, { user: { name, groups }, verb, path, target }).level;
};

t.test('the first rule that matches decides', async (t) => {
  const core = '/api/v1/namespaces/default';
  t.equal(levelOf('GET', `${core}/services/x`, 'quiet'), 'None');
  t.equal(levelOf('PUT', `${core}/services/x`, 'quiet'), 'Request');
  t.equal(levelOf('GET', '/healthz/ping'), 'None');
  t.equal(levelOf('GET', '/version'), 'None');
  t.equal(levelOf('GET', '/versions'), 'Metadata');
  t.equal(levelOf('GET', '/api/v1/namespaces/prod/pods', 'u', ['a', 'watched']), 'RequestResponse');
  t.equal(levelOf('GET', '/api/v1/namespaces/test/pods', 'u', ['watched']), 'None');
  t.equal(levelOf('POST', `${core}/pods/x/exec`), 'Request');
  t.equal(levelOf('POST', `${core}/pods/x/attach`), 'None');
  t.equal(levelOf('GET', `${core}/pods/x/status`), 'Request');
  t.equal(levelOf('GET', `${core}/services/x/proxy`), 'Request');
  t.equal(levelOf('GET', '/apis/apps/v1/deployments'), 'Request', 'a group alone is all of it');
  t.equal(levelOf('GET', '/apis/batch/v1/jobs'), 'None');
  t.equal(levelOf('GET', `${core}/secrets/one`), 'Metadata');
  t.equal(levelOf('GET', `${core}/secrets/two`), 'None');
  t.equal(levelOf('GET', '/api/v1/nodes/n'), 'Metadata', 'no namespace is the empty one');
  const { target } = parseRequest('GET', '/api/v1/nodes/n');
  const known = { user: undefined, verb: 'get', path: '/x', target };
  t.equal(verdictOf(policy, known).level, 'Metadata', 'nobody is in no group');
});

t.test('stages and managed fields', async (t) => {
  const { target } = parseRequest('GET', '/api/v1/namespaces/prod/pods');
  const request = { user: { name: 'u', groups: ['watched'] }, verb: 'list', path: '', target };
  const verdict = verdictOf(policy, request);
  t.same([...verdict.omitStages], ['RequestReceived', 'ResponseStarted']);
  t.equal(verdict.omitManagedFields, false);
});

t.test('a policy that says what it cannot mean is refused, with every reason', async (t) => {
  const refused = (rules: string, pattern: RegExp): void => {
    t.throws(() => parsePolicy(`{apiVersion: audit.k8s.io/v1, kind: Policy, rules: ${rules}}`), pattern);
  };
  refused('[]', /without rules/);
  refused('[{level: Loud}]', /rules\[0\].level: must be one of None, Metadata, Request, RequestResponse/);
  refused('[{level: None, user: [x]}]', /rules\[0\].user: unknown field/);
  refused('[{level: None, nonResourceURLs: [/a], namespaces: [x]}]', /both regular resources and other/);
  refused('[{level: None, nonResourceURLs: [/a*b]}]', /stands at the end/);
  refused('[{level: None, nonResourceURLs: [a]}]', /must begin with/);
  refused('[{level: None, resources: [{group: apps/v1}]}]', /without a version/);
  refused('[{level: None, resources: [{resourceNames: [x]}]}]', /needs resources/);
  refused('[{level: None, omitStages: [Later]}]', /omitStages\[0\]: must be one of/);
  t.throws(() => parsePolicy('[1]'), /must be an object.*apiVersion.*kind/);
});

t.test('flags', async (t) => {
  t.equal(auditOptions({}), undefined);
  t.throws(() => auditOptions({ auditLogPath: '-' }), /--audit-log-path: "-" needs --audit-policy-file/);
  t.throws(() => auditOptions({ auditPolicyFile: '/p' }), /needs --audit-log-path or/);
  t.throws(
    () => auditOptions({ auditPolicyFile: '/p', auditLogPath: '/a', auditLogFormat: 'legacy' }),
    /--audit-log-format: "legacy" is not known; take json/,
  );
  const given = auditOptions({ auditPolicyFile: '/p', auditLogPath: '/a', auditLogMaxsize: '2' });
  t.match(given, { strict: false, webhook: undefined, log: { path: '/a', maxBytes: 2 * 1024 * 1024 } });
});

t.test('secret values are hidden in every form', async (t) => {
  const hide = redactionOf({ group: '', resource: 'secrets', subresource: '' });
  const secret = {
    kind: 'Secret',
    metadata: {
      name: 's',
      labels: { data: 'kept' },
      annotations: { a: 'b', 'kubectl.kubernetes.io/last-applied-configuration': '{"data":{"k":"hush"}}' },
    },
    type: 'Opaque',
    data: { k: 'hush' },
    stringData: { l: 'hush' },
    dta: { typo: 'hush' },
  };
  const json = JSON.stringify([
    hide?.(secret),
    hide?.({ kind: 'SecretList', items: [secret] }),
    hide?.({ kind: 'Table', rows: [{ cells: ['s', 1], object: secret }] }),
    hide?.([{ op: 'add', path: '/data/k', value: 'hush' }]),
  ]);
  t.notMatch(json, /hush/);
  t.match(hide?.(secret), { data: { k: 'REDACTED' }, metadata: { name: 's', labels: { data: 'kept' } } });
  t.equal(secret.data.k, 'hush', 'a copy');
  const moved = { metadata: { name: 's', data: { k: 'value' }, stringData: 'value' }, type: 'Opaque' };
  t.same(
    hide?.(moved),
    { metadata: { name: 's', data: { k: 'REDACTED' }, stringData: 'REDACTED' }, type: 'Opaque' },
    'values that were moved in too far',
  );
  t.same(hide?.({ metadata: 'value' }), { metadata: 'REDACTED' });
  const token = redactionOf({ group: '', resource: 'serviceaccounts', subresource: 'token' });
  t.same(token?.({ status: { token: 'x', expirationTimestamp: 'y' } }), {
    status: { token: 'REDACTED', expirationTimestamp: 'y' },
  });
  const review = redactionOf({ group: 'authentication.k8s.io', resource: 'tokenreviews', subresource: '' });
  t.same(review?.({ spec: { token: 'x' } }), { spec: { token: 'REDACTED' } });
  t.same(review?.({ spec: { Token: 'x', audiences: ['a'] } }), {
    spec: { Token: 'REDACTED', audiences: ['a'] },
  });
  t.equal(redactionOf({ group: '', resource: 'configmaps', subresource: '' }), undefined);
});

t.test('URLs and owners of fields', async (t) => {
  t.equal(safeUrl('/a?token=x&limit=5&access_token=y'), '/a?token=REDACTED&limit=5&access_token=REDACTED');
  t.equal(safeUrl('/a?labelSelector=token%3Dx'), '/a?labelSelector=token%3Dx');
  const owned = { metadata: { name: 'x', managedFields: [1] } };
  t.same(withoutManagedFields({ items: [owned] }), { items: [{ metadata: { name: 'x' } }] });
});
