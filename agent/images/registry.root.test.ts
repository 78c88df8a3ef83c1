/** Pulls from a real registry through the real Docker: open, behind a login, behind TLS with an authority of its own. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Container, Pod, Secret } from '../../src/api/types.js';
import { systemClock } from '../../src/host/clock.js';
import { runChecked } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { DockerRuntime } from '../runtime/docker.js';
import { testSocket } from '../runtime/docker-testing.js';
import { createTestAuthority } from '../server/testing.js';
import { createKeyring } from './keyring.js';
import { createImageManager, type ImageManager } from './manager.js';
import { registryUser, startRegistry } from './registry-testing.js';

const unique = `t${randomBytes(4).toString('hex')}`;
const runtime = new DockerRuntime({
  socketPath: testSocket,
  node: unique,
  log: silentLogger,
  clock: systemClock,
  oomScoreFloor: 0,
});
const home = await mkdtemp(join(tmpdir(), 'wherry-images-'));
t.teardown(async () => {
  runtime.close();
  await rm(home, { recursive: true });
});
const { signal } = new AbortController();

const docker = async (...args: string[]): Promise<string> =>
  (await runChecked('docker', ['--host', `unix://${testSocket}`, '--config', home, ...args])).stdout;

/** An image of two files, pushed under this name and removed from this machine again. Returns its digest. */
async function publish(reference: string): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'wherry-layer-'));
  await writeFile(join(root, 'one'), randomBytes(64 * 1024));
  await writeFile(join(root, 'two'), reference);
  await runChecked('tar', ['-C', root, '-cf', `${root}.tar`, 'one', 'two']);
  await docker('import', `${root}.tar`, reference);
  await rm(root, { recursive: true });
  await rm(`${root}.tar`);
  const pushed = await docker('push', reference);
  await docker('rmi', reference);
  return /digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1] ?? '';
}

const remove = async (...references: string[]): Promise<void> => {
  for (const reference of references) {
    const state = await runtime.inspectImage(reference);
    if (state) await docker('rmi', '--force', state.id);
  }
};

const pull = { imagePullSecrets: [{ name: 'pull' }] };
const pod = (uid: string, spec: object = {}): Pod => ({
  metadata: { namespace: 'default', name: uid, uid },
  spec: { containers: [], ...spec },
});
const container = (image: string, imagePullPolicy = 'IfNotPresent'): Container => ({
  name: 'main',
  image,
  imagePullPolicy,
});
const secretFor = (auths: object): Secret => ({
  metadata: { name: 'pull' },
  type: 'kubernetes.io/dockerconfigjson',
  data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') },
});

function setUp(secret?: Secret): { manager: ImageManager; events: string[] } {
  const events: string[] = [];
  const manager = createImageManager({
    runtime,
    clock: systemClock,
    maxParallelPulls: 4,
    keyring: createKeyring({ secret: () => secret, log: silentLogger }),
    record: (_pod, _type, reason, message) => events.push(`${reason}: ${message}`),
  });
  return { manager, events };
}

t.test('an open registry: tags, digests, policies, one pull for many', async (t) => {
  const registry = await startRegistry();
  const image = `${registry.host}/${unique}/app:1`;
  t.teardown(async () => {
    await remove(image);
    await registry.close();
  });
  const digest = await publish(image);
  const { manager, events } = setUp();

  t.match(await manager.ensure(pod('never'), container(image, 'Never'), signal), {
    reason: 'ErrImageNeverPull',
  });
  events.length = 0;
  const many = await Promise.all(
    Array.from({ length: 5 }, (_, n) => manager.ensure(pod(`p${n}`), container(image), signal)),
  );
  t.ok(many.every(({ result }) => result === 'present'));
  t.equal(events.filter((line) => line.startsWith('Pulling:')).length, 5);
  t.match(
    events.at(-1),
    /^Pulled: Successfully pulled image ".*" in [\d.]+m?s \([\d.]+m?s including waiting\)\. Image size: \d+ bytes\.$/,
  );
  events.length = 0;
  t.match(await manager.ensure(pod('a'), container(image), signal), { result: 'present' });
  t.strictSame(events, [`Pulled: Container image "${image}" already present on machine`]);
  await manager.ensure(pod('a'), container(image, 'Always'), signal);
  t.match(events.at(-1), /^Pulled: Successfully pulled/);

  await remove(image);
  const byDigest = `${registry.host}/${unique}/app@${digest}`;
  t.teardown(() => remove(byDigest));
  t.match(await manager.ensure(pod('d'), container(byDigest), signal), { result: 'present' });
  const state = await runtime.inspectImage(byDigest);
  t.ok(state?.repoDigests.includes(byDigest));
  t.match(await manager.ensure(pod('d'), container(`${image}0`), signal), {
    reason: 'ErrImagePull',
    message: /manifest.*(unknown|not found)/,
  });
  t.match(await manager.ensure(pod('d'), container(`${image}0`), signal), { reason: 'ImagePullBackOff' });
});

t.test('behind a login: none, a wrong one, a wrong one before the right one', async (t) => {
  const registry = await startRegistry({ login: true });
  const image = `${registry.host}/${unique}/private:1`;
  t.teardown(async () => {
    await remove(image);
    await registry.close();
  });
  const { username, password } = registryUser;
  await docker('login', '--username', username, '--password', password, registry.host);
  await publish(image);
  const denied = { reason: 'ErrImagePull', message: /no basic auth credentials|unauthorized/ };
  t.match(await setUp().manager.ensure(pod('a'), container(image), signal), denied);
  const wrong = { username, password: 'guess' };
  const onlyWrong = setUp(secretFor({ [registry.host]: wrong }));
  t.match(await onlyWrong.manager.ensure(pod('b', pull), container(image), signal), denied);
  const both = setUp(
    secretFor({ [`${registry.host}/${unique}`]: wrong, [`http://${registry.host}/v2/`]: registryUser }),
  );
  t.match(await both.manager.ensure(pod('c', pull), container(image), signal), { result: 'present' });
});

t.test('behind TLS: refused until the machine knows the authority', async (t) => {
  // Docker does not verify who answers on loopback.
  const address = Object.values(networkInterfaces())
    .flat()
    .find((own) => own && !own.internal && own.family === 'IPv4')?.address;
  if (!address) throw new Error('this machine has no address but loopback');
  const authority = await createTestAuthority();
  const registry = await startRegistry({
    address,
    login: true,
    tls: await authority.issue('registry', [], address),
  });
  const image = `${registry.host}/${unique}/secure:1`;
  const trust = join('/etc/docker/certs.d', registry.host);
  await mkdir(trust, { recursive: true });
  t.teardown(async () => {
    await remove(image);
    await registry.close();
    await rm(trust, { recursive: true, force: true });
  });
  await writeFile(join(trust, 'ca.crt'), authority.ca);
  await docker(
    'login',
    '--username',
    registryUser.username,
    '--password',
    registryUser.password,
    registry.host,
  );
  await publish(image);
  const { manager } = setUp(secretFor({ [registry.host]: registryUser }));
  await rm(join(trust, 'ca.crt'));
  t.match(await manager.ensure(pod('a', pull), container(image), signal), {
    reason: 'ErrImagePull',
    message: /x509: certificate signed by unknown authority/,
  });
  await writeFile(join(trust, 'ca.crt'), authority.ca);
  t.match(await manager.ensure(pod('b', pull), container(image), signal), { result: 'present' });
});

t.test('a pull that is no longer wanted ends, also when the registry hangs', async (t) => {
  const registry = await startRegistry();
  const image = `${registry.host}/${unique}/slow:1`;
  t.teardown(async () => {
    registry.thaw();
    await remove(image);
    await registry.close();
  });
  await publish(image);
  await registry.freeze();
  const { manager } = setUp();
  const unwanted = new AbortController();
  const pulling = manager.ensure(pod('a'), container(image), unwanted.signal);
  setTimeout(() => unwanted.abort(new Error('the pod is gone')), 200);
  await t.rejects(pulling, { message: 'the pod is gone' });
  registry.thaw();
  t.match(await manager.ensure(pod('b'), container(image), signal), { result: 'present' });
});
