import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import t from 'tap';
import { runChecked } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { checkStore } from './check.js';
import { FileStore } from './file.js';
import { type StoreEvent, StoreReadOnly } from './store.js';

t.test('a full disk refuses writes, serves reads, and is left when space is back', async (t) => {
  const mount = await mkdtemp(`${tmpdir()}/wherry-store-`);
  await runChecked('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', mount]);
  t.teardown(async () => {
    await runChecked('umount', ['-l', mount]);
    await rm(mount, { recursive: true });
  });
  const clock = createFakeClock();
  const directory = `${mount}/store`;
  const store = new FileStore({ directory, stamp: (value) => value, clock, log: silentLogger });
  await store.start();
  const seen: StoreEvent[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const batch of store.watch('/', store.revision(), stop.signal)) seen.push(...batch);
  })();

  await writeFile(`${mount}/ballast`, Buffer.alloc(5 * 1024 * 1024));
  const acknowledged = new Map<string, number>();
  const results = await Promise.allSettled(
    Array.from({ length: 16 }, async (_, n) => {
      for (let turn = 0; turn < 200; turn += 1) {
        const entry = await store.put(`/k/${n}/${turn}`, incompressible(4096, n * 200 + turn), 0);
        acknowledged.set(entry.key, entry.modRevision);
      }
    }),
  );
  const failed = results.filter((result) => result.status === 'rejected');
  t.ok(failed.length > 0, 'the disk was full');
  t.ok(failed.every((result) => result.reason instanceof StoreReadOnly));
  t.equal(store.healthy().ok, false);
  t.ok(acknowledged.size > 100);
  for (const [key, revision] of acknowledged) {
    if ((await store.get(key))?.modRevision !== revision) t.fail(`${key} is not readable`);
  }
  await t.rejects(
    store.put('/x', Buffer.from('x'), 0),
    StoreReadOnly,
    'no attempt to reopen within a second',
  );

  await clock.advance(1000);
  await t.rejects(store.put('/x', incompressible(4096, 1), 0), StoreReadOnly, 'still full');
  await rm(`${mount}/ballast`);
  await clock.advance(1000);
  const entry = await store.put('/x', Buffer.from('x'), 0);
  t.equal(store.healthy().ok, true);
  t.equal(entry.modRevision, store.revision());
  while (seen.at(-1)?.revision !== entry.modRevision) await new Promise((resolve) => setImmediate(resolve));
  t.same(
    seen.map((event) => event.revision),
    Array.from({ length: entry.modRevision - 1 }, (_, n) => n + 2),
    'watch without gap',
  );
  stop.abort();
  await watching;
  await store.stop();

  const report = await checkStore(directory);
  t.match(report, { problems: [], revision: entry.modRevision });
  const again = new FileStore({ directory, stamp: (value) => value, clock, log: silentLogger });
  await again.start();
  for (const [key, revision] of acknowledged) {
    if ((await again.get(key))?.modRevision !== revision) t.fail(`${key} did not survive`);
  }
  await again.stop();
});

/** Bytes that LevelDB's compression cannot shrink much. */
function incompressible(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = (seed + 1) * 2654435761;
  for (let n = 0; n < length; n += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[n] = state >>> 24;
  }
  return bytes;
}
