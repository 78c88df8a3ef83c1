/** Admission webhooks against real HTTPS servers, through the registry: every rule of who is called, how, and what follows. */
import t from 'tap';
import { ApiError } from '../../src/api/errors.js';
import {
  deployments,
  endpointSlices,
  mutatingWebhookConfigurations,
  namespaces,
  services,
  validatingWebhookConfigurations,
} from '../../src/api/kinds.js';
import type { ConfigMap, KubeObject, MutatingWebhook, ValidatingWebhook } from '../../src/api/types.js';
import { contextOf } from '../registry/testing.js';
import {
  createTestAdmission,
  createTestTls,
  patchOf,
  sliceOf,
  startWebhook,
  type TestAdmission,
  type WebhookServer,
} from './testing.js';

const tls = await createTestTls(['localhost', 'hook.default.svc']);

type Given = Partial<ValidatingWebhook & MutatingWebhook>;

const webhook = (server: WebhookServer, path: string, given: Given = {}): MutatingWebhook => ({
  name: `${path}.example.com`,
  clientConfig: { url: `${server.url}/${path}`, caBundle: tls.caBundle },
  rules: [{ operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], scope: '*' }],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  failurePolicy: 'Fail',
  matchPolicy: 'Equivalent',
  timeoutSeconds: 30,
  ...given,
});

async function configure(
  admission: TestAdmission,
  kind: 'mutating' | 'validating',
  name: string,
  webhooks: readonly MutatingWebhook[],
): Promise<void> {
  const metadata = { name };
  if (kind === 'mutating')
    await admission.client.create(mutatingWebhookConfigurations, { metadata, webhooks: [...webhooks] });
  else await admission.client.create(validatingWebhookConfigurations, { metadata, webhooks: [...webhooks] });
  await admission.settle(() => admission.concerns('configmaps', 'CREATE'));
}

const map = (name: string, data: Record<string, string> = {}, labels?: Record<string, string>): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, ...(labels && { labels }) },
    data,
  }) as KubeObject;

const createMap = (admission: TestAdmission, object: KubeObject, context = contextOf()) =>
  admission.registry.create(admission.rowOf('configmaps'), 'default', object, context);

async function errorOf(write: Promise<unknown>): Promise<ApiError> {
  try {
    await write;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('not refused');
}

t.test('nothing configured concerns nobody; what is configured only what it names', async (t) => {
  const admission = await createTestAdmission();
  const server = await startWebhook(tls, () => ({ allowed: true }));
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  t.equal(admission.concerns('configmaps', 'CREATE'), false);
  await configure(admission, 'validating', 'a', [
    webhook(server, 'a', {
      rules: [
        { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps', 'pods/*'] },
      ],
    }),
  ]);
  t.equal(admission.concerns('configmaps', 'CREATE'), true);
  t.equal(admission.concerns('configmaps', 'UPDATE'), false);
  t.equal(admission.concerns('pods', 'CREATE'), true, 'as kube-apiserver reads pods/*');
  t.equal(admission.concerns('pods', 'CREATE', 'binding'), true);
  t.equal(admission.concerns('secrets', 'CREATE'), false);
  await admission.client.delete(validatingWebhookConfigurations, { name: 'a' });
  await admission.settle(() => !admission.concerns('configmaps', 'CREATE'));
  t.equal(admission.concerns('configmaps', 'CREATE'), false);
});

t.test('what a webhook is told', async (t) => {
  const admission = await createTestAdmission();
  const server = await startWebhook(tls, () => ({
    allowed: true,
    warnings: ['mind the gap'],
    auditAnnotations: { seen: 'yes' },
  }));
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  await configure(admission, 'validating', 'a', [webhook(server, 'a')]);
  const context = contextOf({
    user: { name: 'ann', groups: ['g'], uid: '7', extra: { k: ['v'] } },
    options: { fieldManager: 'm' },
  });
  await createMap(admission, map('one', { k: 'v' }), context);
  t.same(context.warnings, ['mind the gap']);
  t.equal(admission.annotations.get('a.example.com/seen'), 'yes');
  const ref = { namespace: 'default', name: 'one' };
  await admission.registry.update(
    admission.rowOf('configmaps'),
    ref,
    map('one', { k: 'w' }),
    contextOf({ dryRun: true }),
  );
  await admission.registry.delete(admission.rowOf('configmaps'), ref, {}, contextOf());
  const gvk = { group: '', version: 'v1', kind: 'ConfigMap' };
  const gvr = { group: '', version: 'v1', resource: 'configmaps' };
  const [created, updated, deleted] = server.reviews;
  t.equal(server.reviews.length, 3);
  t.match(created, {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      kind: gvk,
      resource: gvr,
      requestKind: gvk,
      requestResource: gvr,
      name: 'one',
      namespace: 'default',
      operation: 'CREATE',
      userInfo: { username: 'ann', uid: '7', groups: ['g'], extra: { k: ['v'] } },
      object: { kind: 'ConfigMap', metadata: { name: 'one' }, data: { k: 'v' } },
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'm' },
    },
  });
  t.match(updated?.request, {
    operation: 'UPDATE',
    dryRun: true,
    oldObject: { data: { k: 'v' } },
    object: { data: { k: 'w' } },
  });
  t.match(deleted?.request, { operation: 'DELETE', object: null, oldObject: { data: { k: 'v' } } });
  t.not(created?.request.uid, updated?.request.uid);
  t.equal(server.connections(), 1, 'the connection is kept');
});

t.test('denials keep code, reason and words', async (t) => {
  const admission = await createTestAdmission();
  const answers: Record<string, object> = {
    '/plain': { allowed: false },
    '/said': { allowed: false, status: { code: 403, message: 'no way' } },
    '/reason': { allowed: false, status: { reason: 'Forbidden', code: 403 } },
    '/odd': { allowed: false, status: { code: 418, message: 'teapot' } },
    '/low': { allowed: false, status: { code: 200, message: 'm' } },
  };
  const server = await startWebhook(tls, (_review, path) => answers[path]);
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  const cases: [string, string, number, string | undefined][] = [
    ['plain', 'admission webhook "plain.example.com" denied the request without explanation', 400, undefined],
    ['said', 'admission webhook "said.example.com" denied the request: no way', 403, undefined],
    ['reason', 'admission webhook "reason.example.com" denied the request: Forbidden', 403, 'Forbidden'],
    ['odd', 'admission webhook "odd.example.com" denied the request: teapot', 418, undefined],
    ['low', 'admission webhook "low.example.com" denied the request: m', 400, undefined],
  ];
  for (const [path, message, code, reason] of cases) {
    for (const kind of ['mutating', 'validating'] as const) {
      await configure(admission, kind, 'a', [webhook(server, path)]);
      const error = await errorOf(createMap(admission, map(`${kind}-${path}`)));
      t.match(error, { message, code });
      t.equal(error.toStatus().reason, reason);
      t.equal(error.toStatus().code, code);
      const type = kind === 'mutating' ? mutatingWebhookConfigurations : validatingWebhookConfigurations;
      await admission.client.delete(type, { name: 'a' });
      await admission.settle(() => !admission.concerns('configmaps', 'CREATE'));
    }
  }
});

t.test('mutations in the order of names, decoded and defaulted, seen by validating ones', async (t) => {
  const admission = await createTestAdmission();
  const append = (text: string) => (review: { object: KubeObject | null }) => {
    const { data = {} } = (review.object ?? {}) as ConfigMap;
    return {
      allowed: true,
      ...patchOf([{ op: 'add', path: '/data/k', value: `${data['k'] ?? ''}${text}` }]),
    };
  };
  const server = await startWebhook(tls, (review, path) =>
    path === '/check' ? { allowed: true } : append(path.slice(1))(review.request),
  );
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  await configure(admission, 'validating', 'v', [webhook(server, 'check')]);
  await configure(admission, 'mutating', 'b', [webhook(server, 'b')]);
  await configure(admission, 'mutating', 'a', [webhook(server, 'a1'), webhook(server, 'a2')]);
  await admission.settle(() => false);
  const { object } = await createMap(admission, map('m', { k: '' }));
  t.same((object as ConfigMap).data, { k: 'a1a2b' });
  t.same((server.reviews.at(-1)?.request.object as ConfigMap | undefined)?.data, { k: 'a1a2b' });
});

t.test('those that ask for it are called again after a later change', async (t) => {
  const admission = await createTestAdmission();
  const calls: string[] = [];
  const server = await startWebhook(tls, (review, path) => {
    calls.push(path);
    const { data = {} } = review.request.object as ConfigMap;
    if (path === '/change' && !data['changed']) {
      return { allowed: true, ...patchOf([{ op: 'add', path: '/data/changed', value: 'yes' }]) };
    }
    return { allowed: true };
  });
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  await configure(admission, 'mutating', 'a', [
    webhook(server, 'again', { reinvocationPolicy: 'IfNeeded' }),
    webhook(server, 'once', { reinvocationPolicy: 'Never' }),
    webhook(server, 'change', { reinvocationPolicy: 'IfNeeded' }),
    webhook(server, 'last', { reinvocationPolicy: 'IfNeeded' }),
  ]);
  await createMap(admission, map('m', { k: '' }));
  t.same(calls, ['/again', '/once', '/change', '/last', '/again']);
});

t.test('who is called: selectors, scope, operations', async (t) => {
  const admission = await createTestAdmission();
  const server = await startWebhook(tls, () => ({ allowed: true }));
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  const any = [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*'], scope: '*' }];
  await admission.client.create(namespaces, { metadata: { name: 'prod', labels: { env: 'prod' } } });
  const prod = { matchLabels: { env: 'prod' } };
  await configure(admission, 'validating', 'a', [
    webhook(server, 'inprod', { namespaceSelector: prod }),
    webhook(server, 'labelled', { objectSelector: { matchLabels: { on: 'yes' } } }),
    webhook(server, 'cluster', { rules: [{ ...any[0], scope: 'Cluster' }] }),
    webhook(server, 'nsprod', { rules: any, namespaceSelector: prod }),
    webhook(server, 'deletes', { rules: [{ ...any[0], operations: ['DELETE'] }] }),
    webhook(server, 'status', { rules: [{ ...any[0], resources: ['*/status'] }] }),
  ]);
  const called = async (write: Promise<unknown>): Promise<string[]> => {
    const from = server.reviews.length;
    await write;
    return server.reviews.slice(from).map((review) => String(review.request['operation']));
  };
  const maps = admission.rowOf('configmaps');
  const inNamespace = (namespace: string, object: KubeObject) =>
    called(admission.registry.create(maps, namespace, object, contextOf()));
  t.equal((await inNamespace('default', map('plain'))).length, 0);
  t.equal((await inNamespace('default', map('labelled', {}, { on: 'yes' }))).length, 1);
  t.equal((await inNamespace('prod', map('p'))).length, 2);
  const ref = { namespace: 'default', name: 'labelled' };
  const unlabelled = admission.registry.update(maps, ref, map('labelled', { k: 'v' }), contextOf());
  t.equal((await called(unlabelled)).length, 1, 'the old object matched');
  const gone = admission.registry.delete(maps, { namespace: 'default', name: 'plain' }, {}, contextOf());
  t.equal((await called(gone)).length, 1, 'deletes');
  const spaces = admission.rowOf('namespaces');
  const named = (name: string, labels = {}) =>
    called(admission.registry.create(spaces, undefined, { metadata: { name, labels } }, contextOf()));
  t.equal((await named('other')).length, 1, 'cluster');
  t.equal((await named('prod2', { env: 'prod' })).length, 2, 'its own labels');
});

t.test('a failing webhook refuses or is ignored', async (t) => {
  const other = await createTestTls();
  const admission = await createTestAdmission();
  const server = await startWebhook(tls, (_review, path, { request, response }) => {
    if (path === '/hangs') return undefined;
    if (path === '/closes') {
      request.socket.destroy();
      return undefined;
    }
    if (path === '/garbage') response.end('<html>');
    else if (path === '/huge') response.end(Buffer.alloc(10_000_000, 'a'));
    else if (path === '/fails') response.writeHead(500).end('boom');
    else if (path === '/missing') response.writeHead(404).end();
    else if (path === '/empty') response.end('{}');
    else if (path === '/uid') return { allowed: true, uid: 'x' };
    else if (path === '/type') return { allowed: true, patch: 'W10=' };
    else if (path === '/patch') return { allowed: true, patchType: 'JSONPatch', patch: 'e30=' };
    return undefined;
  });
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  const post = (path: string, seconds = 30): string =>
    `failed to call webhook: Post "${server.url}/${path}?timeout=${seconds}s": `;
  const cases: [string, string, Given?][] = [
    ['hangs', `${post('hangs', 1)}context deadline exceeded`, { timeoutSeconds: 1 }],
    ['closes', `${post('closes')}EOF`],
    ['garbage', "failed to call webhook: couldn't get version/kind; json parse error: "],
    ['huge', `${post('huge')}the answer is larger than`],
    [
      'fails',
      'failed to call webhook: an error on the server ("boom") has prevented the request from succeeding',
    ],
    ['missing', 'failed to call webhook: the server could not find the requested resource'],
    ['empty', 'received invalid webhook response: webhook response was absent'],
    ['uid', 'received invalid webhook response: expected response.uid="'],
    ['type', 'received invalid webhook response: webhook returned response.patch but not response.patchType'],
    ['patch', 'received undecodable patch in webhook response: '],
    [
      'trust',
      `${post('trust')}tls: failed to verify certificate: x509: certificate signed by unknown authority`,
      { clientConfig: { url: `${server.url}/trust`, caBundle: other.caBundle } },
    ],
    [
      'service',
      'failed to call webhook: Post "https://none.default.svc:443/x?timeout=30s": service "none" not found',
      { clientConfig: { service: { namespace: 'default', name: 'none', path: '/x', port: 443 } } },
    ],
    [
      'version',
      'could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)',
    ],
  ];
  for (const [path, why, more = {}] of cases) {
    for (const failurePolicy of ['Fail', 'Ignore']) {
      const hook = webhook(server, path, { ...more, failurePolicy });
      if (path === 'version') {
        // Such a configuration can only have been stored by another version.
        hook.admissionReviewVersions = ['v1', 'v2'];
      }
      await configure(admission, 'mutating', 'a', [hook]);
      if (path === 'version') break;
      const write = createMap(admission, map(`${path}-${failurePolicy.toLowerCase()}`));
      if (failurePolicy === 'Ignore') await t.resolves(write, `${path} is ignored`);
      else {
        const error = await errorOf(write);
        const message = `Internal error occurred: failed calling webhook "${path}.example.com": ${why}`;
        t.equal(error.message.slice(0, message.length), message);
        t.equal(error.code, 500);
      }
      await admission.client.delete(mutatingWebhookConfigurations, { name: 'a' });
      await admission.settle(() => !admission.concerns('configmaps', 'CREATE'));
    }
  }
});

t.test('a slow webhook holds up nobody but its own request', async (t) => {
  const admission = await createTestAdmission();
  let release = (): void => undefined;
  const server = await startWebhook(tls, (review, _path, { response }) => {
    release = () => {
      const { uid } = review.request;
      response.end(
        JSON.stringify({
          apiVersion: 'admission.k8s.io/v1',
          kind: 'AdmissionReview',
          response: { uid, allowed: true },
        }),
      );
    };
    return undefined;
  });
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  await configure(admission, 'validating', 'a', [webhook(server, 'slow', { timeoutSeconds: 30 })]);
  const slow = createMap(admission, map('slow'));
  await admission.registry.create(
    admission.rowOf('secrets'),
    'default',
    { metadata: { name: 's' } },
    contextOf(),
  );
  await admission.settle(() => server.reviews.length > 0);
  const client = new AbortController();
  const gone = createMap(admission, map('gone'), contextOf({ signal: client.signal }));
  client.abort();
  t.equal((await errorOf(gone)).reason, 'Timeout', 'a client that leaves ends its call');
  while (server.reviews.length === 0) await new Promise((resolve) => setImmediate(resolve));
  release();
  await t.resolves(slow);
});

t.test('dry run is refused by side effects', async (t) => {
  const admission = await createTestAdmission();
  const server = await startWebhook(tls, () => ({ allowed: true }));
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  await configure(admission, 'validating', 'a', [webhook(server, 'ok', { sideEffects: 'NoneOnDryRun' })]);
  await t.resolves(createMap(admission, map('m'), contextOf({ dryRun: true })));
  t.equal(server.reviews[0]?.request['dryRun'], true);
});

t.test('a webhook behind a Service', async (t) => {
  const admission = await createTestAdmission();
  const server = await startWebhook(tls, () => ({ allowed: false, status: { message: 'from the pod' } }));
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  const { client } = admission;
  const target = {
    service: { namespace: 'default', name: 'hook', path: '/x', port: 443 },
    caBundle: tls.caBundle,
  };
  await configure(admission, 'validating', 'a', [webhook(server, 'svc', { clientConfig: target })]);
  const post =
    'Internal error occurred: failed calling webhook "svc.example.com": failed to call webhook: Post "https://hook.default.svc:443/x?timeout=30s": ';
  t.equal((await errorOf(createMap(admission, map('m')))).message, `${post}service "hook" not found`);
  await client.create(services, {
    metadata: { name: 'hook', namespace: 'default' },
    spec: { ports: [{ name: 'https', port: 443, targetPort: 8443 }], selector: { app: 'hook' } },
  });
  t.equal(
    (await errorOf(createMap(admission, map('m')))).message,
    `${post}no endpoints available for service "hook"`,
  );
  await client.create(endpointSlices, sliceOf('hook', 'down', 1, false));
  await client.create(endpointSlices, sliceOf('hook', 'up', server.port));
  t.match(await errorOf(createMap(admission, map('m'))), /denied the request: from the pod/);
});

t.test('an equivalent version is converted, the old review version is spoken', async (t) => {
  const admission = await createTestAdmission();
  const server = await startWebhook(tls, (_review, path) =>
    path === '/v1beta1'
      ? {
          uid: '',
          allowed: true,
          patch: Buffer.from('[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]').toString('base64'),
        }
      : { allowed: true },
  );
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  await configure(admission, 'mutating', 'a', [
    webhook(server, 'v1beta1', { admissionReviewVersions: ['v1beta1', 'v1'] }),
  ]);
  const { object } = await createMap(admission, map('m'));
  t.same(object.metadata.labels, { a: 'b' });
  t.equal(server.reviews[0]?.apiVersion, 'admission.k8s.io/v1beta1');
});

t.test('a mutation is validated like any write, and a broken one is the webhook’s fault', async (t) => {
  const admission = await createTestAdmission();
  const patches: Record<string, object[]> = {
    '/invalid': [{ op: 'replace', path: '/spec/replicas', value: -1 }],
    '/type': [{ op: 'replace', path: '/spec/replicas', value: 'many' }],
    '/nowhere': [{ op: 'remove', path: '/spec/nothing/here' }],
  };
  const server = await startWebhook(tls, (_review, path) => ({
    allowed: true,
    ...patchOf(patches[path] ?? []),
  }));
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  const deployment = {
    metadata: { name: 'd', namespace: 'default' },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  };
  const rules = [
    { operations: ['CREATE'], apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] },
  ];
  const cases: [string, RegExp][] = [
    ['invalid', /spec.replicas: Invalid value: -1: must be greater than or equal to 0/],
    ['type', /Internal error occurred/],
    ['nowhere', /Internal error occurred/],
  ];
  for (const [path, message] of cases) {
    await admission.client.create(mutatingWebhookConfigurations, {
      metadata: { name: 'a' },
      webhooks: [webhook(server, path, { rules })],
    });
    await admission.settle(() => admission.concerns('deployments', 'CREATE'));
    await t.rejects(admission.client.create(deployments, deployment), { message });
    await admission.client.delete(mutatingWebhookConfigurations, { name: 'a' });
    await admission.settle(() => !admission.concerns('deployments', 'CREATE'));
  }
});

t.test('configurations themselves are seen by nobody', async (t) => {
  const admission = await createTestAdmission();
  const server = await startWebhook(tls, () => ({ allowed: false }));
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  const any = [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'], scope: '*' }];
  await configure(admission, 'validating', 'a', [webhook(server, 'all', { rules: any })]);
  await t.resolves(admission.client.delete(validatingWebhookConfigurations, { name: 'a' }));
  t.equal(server.reviews.length, 0);
});

t.test('a webhook that answers with another protocol fails at once, by its name', async (t) => {
  const admission = await createTestAdmission();
  const server = await startWebhook(tls, (_review, _path, { response }) => {
    response.socket?.write('HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
  });
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  await configure(admission, 'validating', 'a', [webhook(server, 'liar')]);
  const { message } = await errorOf(createMap(admission, map('one')));
  t.match(
    message,
    /failed calling webhook "liar\.example\.com": .*: the connection was closed without an answer$/,
  );
});
