/** Credential providers: their configuration, real programs that answer, what is kept and for how long. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { run } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createKeyring } from './keyring.js';
import { parseProviderConfig, readProviderConfig } from './providerconfig.js';
import { createCredentialProviders } from './providers.js';
import { type ImageReference, parseImageReference } from './reference.js';

const image = (text: string): ImageReference => {
  const reference = parseImageReference(text);
  if (!reference) throw new Error(text);
  return reference;
};
const { signal } = new AbortController();
const provider = {
  name: 'ecr',
  matchImages: ['*.example.com', 'r.io:5000/team'],
  defaultCacheDuration: '12h',
  apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
};
const config = (...providers: object[]): string =>
  JSON.stringify({ apiVersion: 'kubelet.config.k8s.io/v1', kind: 'CredentialProviderConfig', providers });

t.test('the configuration', async (t) => {
  const full = { ...provider, args: ['get'], env: [{ name: 'A', value: 'b' }] };
  t.strictSame(parseProviderConfig(config(full)), [
    {
      name: 'ecr',
      matchImages: provider.matchImages,
      defaultCacheMs: 12 * 3_600_000,
      args: ['get'],
      env: { A: 'b' },
    },
  ]);
  t.match(parseProviderConfig(config({ ...provider, defaultCacheDuration: '0' })), [{ defaultCacheMs: 0 }]);
  const wrong: [string, RegExp][] = [
    ['kind: Pod', /no CredentialProviderConfig/],
    [config(), /providers must not be empty/],
    [config({ ...provider, name: '../sh' }), /providers\[0\]\.name/],
    [config({ ...provider, name: '..' }), /name/],
    [config({ ...provider, matchImages: [] }), /matchImages/],
    [config({ ...provider, apiVersion: 'v1' }), /apiVersion must be credentialprovider/],
    [config({ ...provider, defaultCacheDuration: undefined }), /defaultCacheDuration is required/],
    [config({ ...provider, defaultCacheDuration: 'soon' }), /no duration/],
    [config({ ...provider, tokenAttributes: {} }), /tokenAttributes.*not supported/],
    [config({ ...provider, args: 'x' }), /args/],
    [config({ ...provider, env: [{ value: 'x' }] }), /env\[0\]/],
  ];
  for (const [text, message] of wrong) t.throws(() => parseProviderConfig(text), { message });

  const dir = t.testdir({
    'b.yaml': config({ ...provider, name: 'second' }),
    'a.json': config(provider),
    'note.txt': 'no configuration',
  });
  t.match(await readProviderConfig(dir), [{ name: 'ecr' }, { name: 'second' }]);
  t.match(await readProviderConfig(join(dir, 'a.json')), [{ name: 'ecr' }]);
  await writeFile(join(dir, 'c.yml'), config(provider));
  await t.rejects(readProviderConfig(dir), { message: /"ecr" is there twice/ });
});

/** A program that notes its question, arguments and environment, and answers what stands in `answer`. */
const program = `#!/bin/sh
cat >> "$DIR/asked"
echo " $* $WHO" >> "$DIR/asked"
cat "$DIR/answer"
exit $(cat "$DIR/code")
`;

t.test('a program is asked, and its answer kept as it says', async (t) => {
  const dir = t.testdir({ ecr: program, code: '0' });
  await chmod(join(dir, 'ecr'), 0o755);
  const clock = createFakeClock();
  const { defaultCacheDuration: _, ...rest } = provider;
  const env = { DIR: dir, WHO: 'me' };
  const providers = createCredentialProviders({
    providers: [{ ...rest, defaultCacheMs: 60_000, args: ['get', 'a b; exit'], env }],
    binDirectory: dir,
    exec: run,
    clock,
    log: silentLogger,
  });
  const answer = (more: object): Promise<void> =>
    writeFile(
      join(dir, 'answer'),
      JSON.stringify({
        kind: 'CredentialProviderResponse',
        apiVersion: provider.apiVersion,
        auth: {
          '*.example.com': { username: 'u', password: 'p' },
          'other.io': { username: 'x', password: 'y' },
        },
        ...more,
      }),
    );
  const users = async (text: string): Promise<string[]> => {
    const keyring = createKeyring({ secret: () => undefined, providers, log: silentLogger });
    const pod = { metadata: { name: 'p' }, spec: { containers: [] } };
    return (await keyring.find(pod, image(text), signal)).map(({ username }) => username);
  };
  const questions = async (): Promise<string[]> =>
    (await run('cat', [join(dir, 'asked')])).stdout.split('\n').filter(Boolean);

  await answer({ cacheKeyType: 'Registry', cacheDuration: '10s' });
  t.strictSame(await Promise.all([users('a.example.com/x:1'), users('a.example.com/x:1')]), [['u'], ['u']]);
  t.strictSame(await questions(), [
    '{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderRequest","image":"a.example.com/x"} get a b; exit me',
  ]);
  t.strictSame(await users('a.example.com/y:1'), ['u'], 'the whole registry is known');
  t.equal((await questions()).length, 1);
  t.strictSame(await users('elsewhere.io/y:1'), [], 'none of its images');
  await clock.advance(10_000);
  await answer({ cacheKeyType: 'Image' });
  t.strictSame(await users('a.example.com/y:1'), ['u']);
  t.strictSame(await users('a.example.com/x:1'), ['u']);
  await clock.advance(59_000);
  t.strictSame(await users('a.example.com/y:2'), ['u']);
  t.equal((await questions()).length, 3, 'by image, for the default time');
  await clock.advance(1000);
  await answer({ cacheKeyType: 'Global', cacheDuration: '0s' });
  await users('a.example.com/y:1');
  await users('a.example.com/y:1');
  t.equal((await questions()).length, 5, 'not kept at all');
  await answer({ cacheKeyType: 'Sometimes' });
  t.strictSame(await users('a.example.com/y:1'), []);
  await writeFile(join(dir, 'answer'), 'oops');
  t.strictSame(await users('a.example.com/y:1'), []);
  await answer({ cacheKeyType: 'Image' });
  await writeFile(join(dir, 'code'), '3');
  t.strictSame(await users('a.example.com/y:1'), [], 'a provider that fails has no login');
});

t.test("the node's own file, after the pod's secrets; each login once", async (t) => {
  const dir = t.testdir({
    'config.json': JSON.stringify({
      auths: {
        'r.io': { username: 'node', password: 'p' },
        'https://r.io/v2/team': { username: 'same', password: 'p' },
      },
    }),
    'broken.json': '{',
  });
  const auths = { 'r.io': { username: 'same', password: 'p' } };
  const data = { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') };
  const find = (file: string) =>
    createKeyring({
      secret: () => ({ metadata: {}, type: 'kubernetes.io/dockerconfigjson', data }),
      configFile: join(dir, file),
      log: silentLogger,
    }).find(
      { metadata: {}, spec: { containers: [], imagePullSecrets: [{ name: 's' }] } },
      image('r.io/team/app'),
      signal,
    );
  t.match(await find('config.json'), [{ username: 'same' }, { username: 'node' }]);
  t.match(await find('none.json'), [{ username: 'same' }]);
  t.match(await find('broken.json'), [{ username: 'same' }]);
});
