/** Image names, pull secrets, and what the manager says and does about every way an image can be missing. */
import fc from 'fast-check';
import t from 'tap';
import type { Container, Pod, Secret } from '../../src/api/types.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { FakeRuntime } from '../runtime/fake.js';
import { RuntimeError } from '../runtime/runtime.js';
import { findLogins, loginsOf } from './credentials.js';
import { imageFlags } from './flags.js';
import { createKeyring } from './keyring.js';
import { createImageManager, type ImageManager } from './manager.js';
import { SharedPulls } from './pulls.js';
import {
  defaultPullPolicy,
  formatImageReference,
  type ImageReference,
  parseImageReference,
} from './reference.js';

const digest = `sha256:${'a'.repeat(64)}`;

const parsed = (text: string): ImageReference => {
  const reference = parseImageReference(text);
  if (!reference) throw new Error(`${text} is no image name`);
  return reference;
};

t.test('image names in their normal form', async (t) => {
  const cases: [string, string][] = [
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.25', 'docker.io/library/nginx:1.25'],
    ['team/app', 'docker.io/team/app:latest'],
    ['docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['index.docker.io/nginx:1', 'docker.io/library/nginx:1'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/a/b/c:x', 'localhost:5000/a/b/c:x'],
    ['registry.example.com/app', 'registry.example.com/app:latest'],
    ['[::1]:5000/app:1', '[::1]:5000/app:1'],
    [`nginx@${digest}`, `docker.io/library/nginx@${digest}`],
    [`nginx:1@${digest}`, `docker.io/library/nginx:1@${digest}`],
  ];
  for (const [text, wanted] of cases) t.equal(formatImageReference(parsed(text)), wanted);
});

t.test('what is no image name', async (t) => {
  const wrong = [
    '',
    'Nginx',
    'a b',
    'nginx:',
    'nginx:-x',
    '/nginx',
    'nginx/',
    'a//b',
    'nginx@sha256:12',
    '-a',
    'a'.repeat(300),
  ];
  for (const text of [...wrong, 'a'.repeat(64), 'http://x/y', 'nginx:latest:1'])
    t.equal(parseImageReference(text), undefined, text);
});

t.test('a normal form is its own normal form', async () => {
  const part = fc.stringMatching(/^[a-z0-9]+([._-][a-z0-9]+)?$/);
  const tag = fc.option(fc.stringMatching(/^\w[\w.-]{0,10}$/), { nil: undefined });
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 3 }), tag, (parts, tag) => {
      const reference = parseImageReference(parts.join('/') + (tag === undefined ? '' : `:${tag}`));
      if (!reference) return true;
      const text = formatImageReference(reference);
      return formatImageReference(parsed(text)) === text;
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => parseImageReference(text)?.registry !== ''));
});

t.test('the default pull policy', async (t) => {
  t.equal(defaultPullPolicy(parsed('nginx')), 'Always');
  t.equal(defaultPullPolicy(parsed('nginx:latest')), 'Always');
  t.equal(defaultPullPolicy(parsed('nginx:1')), 'IfNotPresent');
  t.equal(defaultPullPolicy(parsed(`nginx@${digest}`)), 'IfNotPresent');
});

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
const pullSecret = (auths: object): Secret => ({
  metadata: { name: 'pull' },
  type: 'kubernetes.io/dockerconfigjson',
  data: { '.dockerconfigjson': base64({ auths }) },
});

t.test('logins that fit an image, the most exact first', async (t) => {
  const logins = loginsOf(
    pullSecret({
      'https://index.docker.io/v1/': { auth: Buffer.from('hub:p:w').toString('base64') },
      '*.example.com': { username: 'star', password: 'x' },
      'registry.example.com/team': { username: 'team', password: 'x' },
      'registry.example.com:5000': { username: 'port', password: 'x' },
      'reg?.[a-c]x.example.com': { username: 'glob', password: 'x' },
      '[z-a].example.com': { username: 'never', password: 'x' },
      'https://old.example.com/v1/team/': { username: 'old', password: 'x' },
      'broken.example.com': { auth: 'bm9jb2xvbg==' },
    }),
  );
  const users = (image: string): string[] =>
    findLogins(logins, parsed(image)).map(({ username }) => username);
  t.strictSame(users('registry.example.com/team/app'), ['team', 'star']);
  t.strictSame(users('registry.example.com/other'), ['star']);
  t.strictSame(users('registry.example.com:5000/app'), ['port']);
  t.strictSame(users('a.b.example.com/app'), [], 'a star is one label');
  t.strictSame(users('reg1.bx.example.com/app'), ['glob']);
  t.strictSame(users('reg1.dx.example.com/app'), []);
  t.strictSame(users('old.example.com/team/app'), ['old', 'star'], 'the API version is no part of the name');
  t.strictSame(findLogins(logins, parsed('nginx')), [
    { username: 'hub', password: 'p:w', serverAddress: 'https://index.docker.io/v1/' },
  ]);
});

t.test('both formats of pull secrets; anything else has no logins', async (t) => {
  const legacy = { 'r.io': { username: 'u', password: 'p' } };
  const secret = { metadata: {}, type: 'kubernetes.io/dockercfg', data: { '.dockercfg': base64(legacy) } };
  t.strictSame(loginsOf(secret), [{ host: 'r.io', path: '', username: 'u', password: 'p' }]);
  t.strictSame(loginsOf({ metadata: {}, type: 'Opaque', data: { '.dockercfg': base64(legacy) } }), []);
  const unreadable = {
    metadata: {},
    type: 'kubernetes.io/dockercfg',
    data: { '.dockercfg': 'bm90IGpzb24=' },
  };
  t.strictSame(loginsOf(unreadable), []);
});

interface Setup {
  runtime: FakeRuntime;
  manager: ImageManager;
  events: string[];
  advance(ms: number): Promise<void>;
}

function setUp(secrets: Record<string, Secret> = {}): Setup {
  const clock = createFakeClock();
  const runtime = new FakeRuntime(clock);
  const events: string[] = [];
  const manager = createImageManager({
    runtime,
    clock,
    keyring: createKeyring({
      secret: (namespace, name) => secrets[`${namespace}/${name}`],
      log: silentLogger,
    }),
    record: (_pod, type, reason, message) => events.push(`${type} ${reason}: ${message}`),
  });
  return {
    runtime,
    manager,
    events,
    advance: (ms) => clock.advance(ms),
  };
}

const pod: Pod = { metadata: { name: 'web', namespace: 'shop', uid: 'u1' }, spec: { containers: [] } };
const container = (image: string, imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never'): Container => ({
  name: 'main',
  image,
  ...(imagePullPolicy && { imagePullPolicy }),
});
const signal = new AbortController().signal;

t.test('present, pulled, never', async (t) => {
  const { runtime, manager, events } = setUp();
  const imageId = runtime.images.add('nginx:1', { user: '101' });
  t.match(await manager.ensure(pod, container('nginx:1'), signal), {
    result: 'present',
    imageId,
    user: '101',
  });
  runtime.images.publish('redis:7', { sizeBytes: 42 });
  t.match(await manager.ensure(pod, container('redis:7', 'IfNotPresent'), signal), {
    result: 'present',
    user: '',
  });
  t.match(await manager.ensure(pod, container('redis:7', 'Always'), signal), { result: 'present' });
  t.match(await manager.ensure(pod, container('absent:1', 'Never'), signal), {
    result: 'failed',
    reason: 'ErrImageNeverPull',
  });
  t.strictSame(events, [
    'Normal Pulled: Container image "nginx:1" already present on machine',
    'Normal Pulling: Pulling image "redis:7"',
    'Normal Pulled: Successfully pulled image "redis:7" in 0ms (0ms including waiting). Image size: 42 bytes.',
    'Normal Pulling: Pulling image "redis:7"',
    'Normal Pulled: Successfully pulled image "redis:7" in 0ms (0ms including waiting). Image size: 42 bytes.',
    'Warning ErrImageNeverPull: Container image "absent:1" is not present with pull policy of Never',
    'Warning Failed: Error: ErrImageNeverPull',
  ]);
});

t.test('a name that is none', async (t) => {
  const { manager } = setUp();
  t.match(await manager.ensure(pod, container('No Such'), signal), {
    reason: 'InvalidImageName',
    message:
      'Failed to apply default image tag "No Such": couldn\'t parse image name "No Such": invalid reference format',
    retryAfterMs: undefined,
  });
});

t.test('a failing pull backs off 10 s, 20 s, ... 300 s and says why', async (t) => {
  const { runtime, manager, events, advance } = setUp();
  const ask = (): ReturnType<ImageManager['ensure']> => manager.ensure(pod, container('gone:1'), signal);
  const why = "pull access denied for gone, repository does not exist or may require 'docker login'";
  t.match(await ask(), { result: 'failed', reason: 'ErrImagePull', message: why });
  t.match(await ask(), {
    reason: 'ImagePullBackOff',
    message: `Back-off pulling image "gone:1": ErrImagePull: ${why}`,
    retryAfterMs: 10_000,
  });
  t.strictSame(events.slice(-4), [
    `Warning Failed: Failed to pull image "gone:1": ${why}`,
    'Warning Failed: Error: ErrImagePull',
    'Normal BackOff: Back-off pulling image "gone:1"',
    'Warning Failed: Error: ImagePullBackOff',
  ]);
  const delays: number[] = [];
  for (let n = 0; n < 6; n += 1) {
    await advance(300_000);
    t.match(await ask(), { reason: 'ErrImagePull' });
    const answer = await ask();
    if (answer.result === 'failed' && answer.retryAfterMs) delays.push(answer.retryAfterMs / 1000);
  }
  t.strictSame(delays, [20, 40, 80, 160, 300, 300]);
  const other = { ...pod, metadata: { ...pod.metadata, uid: 'u2' } };
  t.match(
    await manager.ensure(other, container('gone:1'), signal),
    { reason: 'ErrImagePull' },
    'each pod its own',
  );
  runtime.images.publish('gone:1');
  await advance(300_000);
  t.match(await ask(), { result: 'present' });
});

t.test('pull secrets are tried until one is let in', async (t) => {
  const auths = {
    'r.io/app': { username: 'old', password: 'x' },
    'r.io': { username: 'me', password: 'secret' },
  };
  const { runtime, manager } = setUp({ 'shop/pull': pullSecret(auths) });
  runtime.images.publish('r.io/app:1', {}, { username: 'me', password: 'secret' });
  t.match(await manager.ensure(pod, container('r.io/app:1'), signal), { reason: 'ErrImagePull' });
  const withSecret = {
    ...pod,
    metadata: { ...pod.metadata, uid: 'u3' },
    spec: { containers: [], imagePullSecrets: [{ name: 'pull' }] },
  };
  t.match(await manager.ensure(withSecret, container('r.io/app:1'), signal), { result: 'present' });
});

t.test('a registry that is away has a reason of its own, also while backing off', async (t) => {
  const { runtime, manager } = setUp();
  const words = 'received unexpected HTTP status: 503 Service Unavailable';
  runtime.failNext('pullImage', new RuntimeError('failed', words));
  const message = `image pull failed for r.io/a:1 because the registry is unavailable: ${words}`;
  t.match(await manager.ensure(pod, container('r.io/a:1'), signal), {
    reason: 'RegistryUnavailable',
    message,
  });
  t.match(await manager.ensure(pod, container('r.io/a:1'), signal), {
    reason: 'ImagePullBackOff',
    message: `Back-off pulling image "r.io/a:1": RegistryUnavailable: ${message}`,
  });
});

t.test('an unavailable runtime is nobody else’s fault', async (t) => {
  const { runtime, manager, events } = setUp();
  runtime.setAvailable(false);
  await t.rejects(manager.ensure(pod, container('nginx:1'), signal), { name: 'RuntimeError' });
  runtime.setAvailable(true);
  runtime.failNext('pullImage', new RuntimeError('unavailable', 'gone'));
  await t.rejects(manager.ensure(pod, container('nginx:1'), signal), { message: 'gone' });
  t.strictSame(events, ['Normal Pulling: Pulling image "nginx:1"']);
});

t.test('one pull for all who want the same; it ends when nobody waits any more', async (t) => {
  const started: string[] = [];
  const aborted: string[] = [];
  const finish = new Map<string, (id: string) => void>();
  const pull = (reference: string, _auth: unknown, signal: AbortSignal): Promise<string> => {
    started.push(reference);
    signal.addEventListener('abort', () => aborted.push(reference));
    return new Promise((resolve, reject) => {
      finish.set(reference, resolve);
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  };
  const clock = createFakeClock();
  const pulls = new SharedPulls({ pull, maxParallel: 1, clock });
  const [first, second] = [new AbortController(), new AbortController()];
  const one = pulls.pull('a', { reference: 'a', auth: undefined }, first.signal);
  const two = pulls.pull('a', { reference: 'a', auth: undefined }, second.signal);
  const waiting = pulls.pull('b', { reference: 'b', auth: undefined }, second.signal);
  t.strictSame(started, ['a'], 'one at a time');
  first.abort(new Error('pod deleted'));
  await t.rejects(one, { message: 'pod deleted' });
  t.strictSame(aborted, []);
  await clock.advance(700);
  finish.get('a')?.('id-a');
  t.equal(await two, 700);
  second.abort(new Error('stopped'));
  await t.rejects(waiting, { message: 'stopped' });
  const [third, fourth] = ['c', 'd'].map((name) =>
    pulls.pull(name, { reference: name, auth: undefined }, new AbortController().signal),
  );
  await clock.advance(100);
  finish.get('c')?.('id-c');
  t.equal(await third, 100, 'the place of the aborted pull is free again');
  await clock.advance(20);
  finish.get('d')?.('id-d');
  t.equal(await fourth, 20, 'waiting is not pulling');
});

t.test('the flags', async (t) => {
  t.strictSame(imageFlags({}), { maxParallelImagePulls: 4, credentialProviders: undefined });
  t.equal(imageFlags({ serializeImagePulls: 'true' }).maxParallelImagePulls, 1);
  t.equal(imageFlags({ maxParallelImagePulls: '9' }).maxParallelImagePulls, 9);
  const paths = { imageCredentialProviderConfig: '/etc/p.yaml', imageCredentialProviderBinDir: '/opt/p/' };
  t.strictSame(imageFlags(paths).credentialProviders, { config: '/etc/p.yaml', binDirectory: '/opt/p' });
  const refused = (raw: Record<string, string>, message: RegExp) =>
    t.throws(() => imageFlags(raw), { message });
  refused({ serializeImagePulls: 'yes' }, /--serialize-image-pulls: "yes" must be true or false/);
  refused({ serializeImagePulls: 'true', maxParallelImagePulls: '2' }, /cannot be more than 1/);
  refused({ imageCredentialProviderConfig: '/x' }, /needs --image-credential-provider-bin-dir too/);
});
