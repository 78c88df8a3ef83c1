/** Files of the store that a crash cut off, and files that somebody or something changed. */
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import t, { type Test } from 'tap';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { checkStore } from './check.js';
import { stampRevision } from './contract.js';
import { FileStore } from './file.js';
import { StoreCorrupt } from './record.js';

async function open(directory: string): Promise<FileStore> {
  const clock = createFakeClock();
  const store = new FileStore({ directory, stamp: stampRevision, log: silentLogger, clock });
  await store.start();
  return store;
}

async function contentsOf(directory: string): Promise<string> {
  const store = await open(directory);
  const { entries } = await store.range('/');
  await store.stop();
  return JSON.stringify(entries.map(({ key, modRevision, value }) => [key, modRevision, String(value)]));
}

/** Old objects behind the compacted revision and young ones; more than two blocks of the log. */
async function makeStore(t: Test) {
  const directory = `${t.testdir()}/store`;
  const store = await open(directory);
  const value = (n: number) => Buffer.from(String(n).repeat(200));
  for (let n = 0; n < 150; n += 1) await store.put(`/old/${n}`, value(n), 0);
  await store.compact(store.revision());
  for (let n = 0; n < 50; n += 1) await store.put(`/young/${n}`, value(n), 0);
  const { entries } = await store.range('/');
  await store.stop();
  return {
    directory,
    contents: JSON.stringify(entries.map((one) => [one.key, one.modRevision, String(one.value)])),
  };
}

async function fileOf(directory: string, kind: RegExp): Promise<{ path: string; bytes: Buffer }> {
  const name = (await readdir(directory)).find((one) => kind.test(one));
  const path = `${directory}/${name}`;
  return { path, bytes: await readFile(path) };
}

const flipped = (bytes: Buffer, at: number, bit: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ (1 << bit);
  return copy;
};

t.test('a bit of the log that changed: refused by name, and nothing is lost by the try', async (t) => {
  const { directory, contents } = await makeStore(t);
  const { path, bytes } = await fileOf(directory, /\.log$/);
  t.ok(bytes.length > 2 * 32 * 1024);
  for (let step = 0; step < 80; step += 1) {
    const at = Math.floor((bytes.length * step) / 80);
    await writeFile(path, flipped(bytes, at, step % 8));
    await t.rejects(open(directory), { message: /\.log is damaged at byte \d+; put a backup back/ });
    await t.rejects(checkStore(directory), StoreCorrupt);
  }
  await writeFile(path, bytes);
  t.equal(await contentsOf(directory), contents);
});

t.test('a log that was cut off in its last write, at every byte', async (t) => {
  const { directory, contents } = await makeStore(t);
  const store = await open(directory);
  await store.put('/last', Buffer.from('last'), 0);
  await store.stop();
  const { bytes } = await fileOf(directory, /\.log$/);
  const copy = `${directory}-copy`;
  const startOn = async (log: Buffer): Promise<string> => {
    await rm(copy, { recursive: true, force: true });
    await cp(directory, copy, { recursive: true });
    const { path } = await fileOf(copy, /\.log$/);
    await writeFile(path, log);
    return contentsOf(copy);
  };
  for (let length = 0; length < bytes.length; length += 1)
    t.equal(await startOn(bytes.subarray(0, length)), contents, `${length} bytes`);
  t.not(await startOn(bytes), contents);
  const unwritten = Buffer.concat([bytes.subarray(0, 8), Buffer.alloc(4096)]);
  t.equal(await startOn(unwritten), contents, 'the disk never got it');
});

t.test('a bit of a table that changed', async (t) => {
  const { directory, contents } = await makeStore(t);
  await contentsOf(directory);
  const { path, bytes } = await fileOf(directory, /\.ldb$/);
  const copy = `${directory}-copy`;
  await cp(directory, copy, { recursive: true });
  let refused = 0;
  for (let step = 0; step < 80; step += 1) {
    await writeFile(path, flipped(bytes, Math.floor((bytes.length * step) / 80), step % 8));
    try {
      t.equal(await contentsOf(directory), contents, 'of no matter');
      await rm(directory, { recursive: true });
      await cp(copy, directory, { recursive: true });
    } catch (error) {
      t.match(error, { message: /the store in .* is damaged: .*\.ldb is damaged at byte/ });
      refused += 1;
    }
  }
  t.ok(refused > 70, `${refused} of 80`);
  await writeFile(path, bytes.subarray(0, bytes.length / 2));
  await t.rejects(open(directory), StoreCorrupt, 'cut off');
  await rm(path);
  await t.rejects(open(directory), StoreCorrupt, 'gone');
});

t.test('a store without the file that names its parts is not taken for a new one', async (t) => {
  const { directory, contents } = await makeStore(t);
  const { path, bytes } = await fileOf(directory, /^CURRENT$/);
  await rm(path);
  await t.rejects(
    open(directory),
    /CURRENT is missing beside the other files of the store; put a backup back/,
  );
  await writeFile(path, bytes);
  t.equal(await contentsOf(directory), contents);
});

t.test('what is left can be had, when somebody asks for it', async (t) => {
  const { directory } = await makeStore(t);
  const { path, bytes } = await fileOf(directory, /\.log$/);
  await writeFile(path, flipped(bytes, 100, 0));
  const { problems } = await checkStore(directory, { repair: true });
  t.match(problems[0], /\.log is damaged at byte/);
  const store = await open(directory);
  t.ok((await store.range('/young/')).entries.length > 0);
  await store.stop();
});
