/**
 * The victim of `crash.test.ts`: opens the store of argv[2] and writes with 16 concurrent writers until it is killed.
 * Prints `<key> <revision>` for every write that was acknowledged, at once and unbuffered; `ready` first.
 */
import { writeSync } from 'node:fs';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { FileStore } from './file.js';

const [directory = '', round = ''] = process.argv.slice(2);
const store = new FileStore({
  directory,
  stamp: (value, revision) => Buffer.concat([Buffer.from(`${revision} `), value]),
  clock: systemClock,
  log: silentLogger,
  historyMs: 50,
});
await store.start();
writeSync(1, 'ready\n');

async function write(writer: number): Promise<never> {
  for (let n = 0; ; n += 1) {
    const fresh = await store.put(`/r/${round}/${writer}/${n}`, Buffer.alloc(500, 'x'), 0);
    writeSync(1, `${fresh.key} ${fresh.modRevision}\n`);
    const shared = await store.put(`/shared/${writer}`, Buffer.from(String(n)), undefined);
    writeSync(1, `${shared.key} ${shared.modRevision}\n`);
  }
}
await Promise.all(Array.from({ length: 16 }, (_, writer) => write(writer)));
