/** Files of the master's keys that somebody or something damaged: named, never replaced silently, never quoted. */
import { cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import t, { type Test } from 'tap';
import { loadKubeconfig } from '../../src/client/kubeconfig.js';
import { readYaml } from '../../src/host/yaml.js';
import { ensurePki } from './pki.js';

const optionsIn = (directory: string) => ({
  directory,
  ...{ dnsNames: [], ips: [], clock: { now: () => new Date() } },
});

/** A function that gives a fresh copy of a good one. */
async function copies(t: Test): Promise<() => Promise<{ directory: string; pki: string }>> {
  const base = `${t.testdir()}/base`;
  await ensurePki(optionsIn(base));
  let count = 0;
  return async () => {
    count += 1;
    const directory = `${base}-${count}`;
    await cp(base, directory, { recursive: true });
    return { directory, pki: `${directory}/pki` };
  };
}

t.test('a file that is none', async (t) => {
  const copy = await copies(t);
  const damages: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
    empty: (path) => writeFile(path, ''),
    'cut off': async (path) => writeFile(path, (await readFile(path)).subarray(0, 100)),
    'something else': (path) => writeFile(path, 'hush-hush'),
    'a directory': async (path) => {
      await rm(path);
      await mkdir(path);
    },
  };
  const names = [
    'ca.crt',
    'ca.key',
    'front-proxy-ca.key',
    'kubelet-serving-ca.crt',
    'server.crt',
    'admin.key',
  ];
  for (const name of names)
    for (const [what, damage] of Object.entries(damages)) {
      const { directory, pki } = await copy();
      await damage(`${pki}/${name}`);
      const error = await ensurePki(optionsIn(directory)).then(
        () => undefined,
        (thrown: Error) => thrown,
      );
      t.match(error?.message, `${pki}/${name} `, `${name}, ${what}`);
      t.notMatch(`${error?.stack}${error?.cause}`, /hush-hush/);
    }
  for (const name of ['ca-old.crt', 'ca-next.crt', 'ca-cross.crt']) {
    const { directory, pki } = await copy();
    await writeFile(`${pki}/${name}`, 'hush-hush');
    await t.rejects(ensurePki(optionsIn(directory)), {
      message: `${pki}/${name} holds no certificate in PEM`,
    });
  }
});

t.test('an authority that is gone is not made anew', async (t) => {
  const copy = await copies(t);
  const lost = [['ca.crt', 'ca.key'], ['ca.crt'], ['front-proxy-ca.crt', 'front-proxy-ca.key']];
  for (const names of lost) {
    const { directory, pki } = await copy();
    for (const name of names) await rm(`${pki}/${name}`);
    await t.rejects(
      ensurePki(optionsIn(directory)),
      /\.crt is missing, but there is .*; put .* back from a backup/,
    );
  }
  const { directory, pki } = await copy();
  await rm(`${pki}/ca.crt`);
  await symlink('/nowhere/ca.crt', `${pki}/ca.crt`);
  await t.rejects(ensurePki(optionsIn(directory)), /ca\.crt is missing/, 'a link that leads nowhere');
  await rm(pki, { recursive: true });
  await mkdir(`${directory}/store`);
  await writeFile(`${directory}/store/CURRENT`, '');
  await t.rejects(ensurePki(optionsIn(directory)), /ca\.crt is missing, but there is .*store\/CURRENT/);
  await rm(`${directory}/store`, { recursive: true });
  t.ok(await ensurePki(optionsIn(directory)), 'where nothing is, it is the first start');
});

t.test('a token of the administrator that was cut off is none', async (t) => {
  const copy = await copies(t);
  const { directory } = await copy();
  const path = `${directory}/admin.token`;
  await writeFile(path, 'hush');
  const said = `${path} holds less than 22 characters; remove it, and a new token is made`;
  await t.rejects(ensurePki(optionsIn(directory)), { message: said });
  await rm(path);
  t.match((await ensurePki(optionsIn(directory))).adminToken, /^[\w-]{43}$/);
});

t.test('a crash of the first start, at any of its files, is no loss', async (t) => {
  const copy = await copies(t);
  const { directory, pki } = await copy();
  for (const name of ['server', 'kubelet-client', 'front-proxy-client', 'admin'])
    await rm(`${pki}/${name}.crt`, { force: true });
  await rm(`${pki}/ca.crt`);
  t.ok(await ensurePki(optionsIn(directory)), 'the key of the authority was there, and nothing else');
});

t.test('kubeconfigs and configuration: no line of theirs in an error', async (t) => {
  const path = `${t.testdir()}/kubeconfig`;
  const broken = [
    'users:\n- user:\n    token: hush-hush\n   client-key-data: hush-hush\n',
    '"hush-hush',
    'token: hush-hush\ntoken: hush-hush\n',
    'x: *hush-hush',
  ];
  for (const text of broken) {
    await writeFile(path, text);
    for (const read of [() => loadKubeconfig(path), async () => readYaml(path, text)]) {
      const error = await read().then(
        () => undefined,
        (thrown: Error) => thrown,
      );
      t.match(error?.message, `${path} is not YAML`);
      t.notMatch(`${error?.stack}${error?.cause}`, /hush-hush/);
    }
  }
  const current = { 'current-context': 'x', contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }] };
  const clusters = [{ name: 'c', cluster: { server: 'https://127.0.0.1' } }];
  const users = [{ name: 'u', user: { token: ['hush-hush'] } }];
  const refused = async (file: object, why: RegExp): Promise<void> => {
    await writeFile(path, JSON.stringify(file));
    await t.rejects(loadKubeconfig(path), why);
  };
  await refused({ ...current, clusters, users }, /kubeconfig: token is no text$/);
  await refused({ ...current, clusters: 5 }, /kubeconfig: the current context names no cluster/);
  await refused({ ...current, contexts: [null] }, /kubeconfig: the current context names no cluster/);
});
