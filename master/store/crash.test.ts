import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { checkStore } from './check.js';
import { FileStore } from './file.js';

const writer = import.meta.filename.replace('crash.test', 'crashwriter');

/** Runs the writer, kills it a while after its first write, and returns what it had acknowledged: key -> revision. */
async function writeAndKill(directory: string, round: number): Promise<Map<string, number>> {
  const child = spawn(process.execPath, [...process.execArgv, writer, directory, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  let killed = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (killed || !output.includes('\n/')) return;
    killed = true;
    setTimeout(() => child.kill('SIGKILL'), (round * 37) % 150);
  });
  await once(child, 'close');
  const whole = output.slice(0, output.lastIndexOf('\n') + 1);
  const acknowledged = new Map<string, number>();
  for (const line of whole.split('\n')) {
    const [key = '', revision] = line.split(' ');
    if (revision !== undefined) acknowledged.set(key, Math.max(Number(revision), acknowledged.get(key) ?? 0));
  }
  return acknowledged;
}

t.test(
  'kill -9 under concurrent writers: what was acknowledged is there',
  { timeout: 120_000 },
  async (t) => {
    const directory = `${t.testdir()}/store`;
    let total = 0;
    const revisions = new Map<string, number>();
    for (let round = 0; round < 12; round += 1) {
      const acknowledged = await writeAndKill(directory, round);
      total += acknowledged.size;
      for (const [key, revision] of acknowledged) revisions.set(key, revision);
      t.same((await checkStore(directory)).problems, []);

      const store = new FileStore({
        directory,
        stamp: (value) => value,
        clock: systemClock,
        log: silentLogger,
      });
      await store.start();
      const lost: string[] = [];
      for (const [key, revision] of revisions) {
        const entry = await store.get(key);
        // A shared key may have been written once more, unacknowledged; a fresh one is exactly what was answered.
        const right = key.startsWith('/shared/')
          ? (entry?.modRevision ?? 0) >= revision
          : entry?.modRevision === revision;
        if (!right || !entry?.value.toString().startsWith(`${entry.modRevision} `)) lost.push(key);
      }
      t.same(lost, [], `round ${round}: ${acknowledged.size} keys`);
      t.ok(store.revision() >= Math.max(...acknowledged.values()), 'no revision is given out twice');
      await store.stop();
    }
    t.ok(total > 500, `${total} acknowledged keys in all`);
  },
);
