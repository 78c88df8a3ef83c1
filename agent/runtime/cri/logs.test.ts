/** Log files of CRI: lines, tails over several files, following across a rotation; and the rotation itself. */
import { appendFile, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../../src/host/clock.js';
import { silentLogger } from '../../../src/host/log.js';
import type { LogOptions } from '../runtime.js';
import { parseLogLine } from './log-format.js';
import { readLogs } from './logs.js';
import { createLogRotation } from './rotation.js';

const never = (): AbortSignal => new AbortController().signal;
const line = (text: string, tag = 'F', stream = 'stdout'): string =>
  `2026-03-01T12:00:00.1Z ${stream} ${tag} ${text}\n`;

t.test('a line', async (t) => {
  const parse = (text: string) => parseLogLine(Buffer.from(text));
  const time = '2026-03-01T12:00:00.123456789Z';
  t.strictSame(parse(`${time} stdout F two words`), {
    stream: 'stdout',
    time,
    text: Buffer.from('two words'),
  });
  t.strictSame(parse(`${time} stderr P:x part`), {
    stream: 'stderr',
    time,
    text: Buffer.from('part'),
    partial: true,
  });
  t.match(parse(`${time} stdout F `), { text: Buffer.from('') });
  t.match(parse(`${time} stdout F`), { text: Buffer.from('') });
  t.equal(parse('half a li'), undefined);
  t.equal(parse(`${time} stdin F x`), undefined);
  t.equal(parse(''), undefined);
});

async function read(path: string, options: Partial<LogOptions> = {}, isRunning = false): Promise<string[]> {
  const found: string[] = [];
  const source = { path, isRunning: async () => isRunning, clock: systemClock };
  for await (const { text } of readLogs(source, {
    follow: false,
    timestamps: false,
    signal: never(),
    ...options,
  })) {
    found.push(text.toString());
  }
  return found;
}

t.test('all files are one log, from the oldest on', async (t) => {
  const path = join(t.testdir(), '0.log');
  t.strictSame(await read(path), [], 'none yet');
  await writeFile(`${path}.20260301-110000.000`, line('a') + line('b'));
  await writeFile(`${path}.20260301-120000.000`, line('c'));
  await writeFile(path, `${line('d') + line('e')}2026-03-01T12:00:00Z stdout F half`);
  t.strictSame(await read(path), ['a', 'b', 'c', 'd', 'e'], 'a line that is being written is none yet');
  t.strictSame(await read(path, { tailLines: 1 }), ['e']);
  t.strictSame(await read(path, { tailLines: 4 }), ['b', 'c', 'd', 'e']);
  t.strictSame(await read(path, { tailLines: 9 }), ['a', 'b', 'c', 'd', 'e']);
  t.strictSame(await read(path, { tailLines: 0 }), []);
  t.strictSame(await read(path, { since: new Date('2026-03-01T12:00:01Z') }), []);
});

t.test('lines longer than a block, and many', async (t) => {
  const path = join(t.testdir(), '0.log');
  const long = 'x'.repeat(200_000);
  await writeFile(path, line(long) + Array.from({ length: 10_000 }, (_, n) => line(String(n))).join(''));
  const all = await read(path);
  t.equal(all.length, 10_001);
  t.equal(all[0], long);
  t.equal((await read(path, { tailLines: 10_001 }))[0], long);
  t.strictSame(await read(path, { tailLines: 2 }), ['9998', '9999']);
});

t.test('following goes on across a rotation and ends with the container', async (t) => {
  const path = join(t.testdir(), '0.log');
  await writeFile(path, line('a'));
  let runs = true;
  const source = { path, isRunning: async () => runs, clock: systemClock };
  const lines = readLogs(source, { follow: true, timestamps: false, signal: never() })[
    Symbol.asyncIterator
  ]();
  const next = async (): Promise<string> => String((await lines.next()).value?.text);
  t.equal(await next(), 'a');
  await appendFile(path, line('b'));
  t.equal(await next(), 'b');
  await appendFile(path, line('c'));
  await rename(path, `${path}.20260301-120000.000`);
  await writeFile(path, line('d'));
  t.equal(await next(), 'c');
  t.equal(await next(), 'd');
  await appendFile(path, line('e'));
  runs = false;
  t.equal(await next(), 'e');
  t.equal((await lines.next()).done, true);
});

t.test('an abort ends a follow', async (t) => {
  const path = join(t.testdir(), '0.log');
  const stop = new AbortController();
  const reading = read(path, { follow: true, signal: stop.signal }, true);
  stop.abort();
  t.strictSame(await reading, []);
});

t.test('rotation keeps the newest files and has the log opened again', async (t) => {
  const directory = join(t.testdir(), 'main');
  await mkdir(directory);
  const path = join(directory, '0.log');
  await writeFile(path, 'x'.repeat(100));
  for (let hour = 10; hour < 14; hour += 1) await writeFile(`${path}.20200301-${hour}0000.000`, String(hour));
  const owner = {
    runningLogs: async () => [
      { id: 'one', path },
      { id: 'two', path: join(directory, '7.log') },
    ],
    opened: [] as string[],
    async reopenLog(id: string) {
      this.opened.push(id);
      if (id === 'one') await writeFile(path, '');
      if (id === 'two') await writeFile(join(directory, '7.log'), '');
      if (id === 'two') done();
    },
  };
  let done = (): void => undefined;
  const finished = new Promise<void>((resolve) => {
    done = resolve;
  });
  const rotation = createLogRotation({
    owner,
    clock: systemClock,
    log: silentLogger,
    maxBytes: 100,
    maxFiles: 3,
  });
  await rotation.start(never());
  await finished;
  await rotation.stop();
  t.strictSame(owner.opened, ['one', 'two'], 'also one whose log a crash has left renamed');
  const files = (await readdir(directory)).sort();
  t.strictSame(files.slice(0, 2), ['0.log', '0.log.20200301-130000.000']);
  t.equal(files.length, 4, 'two old ones are kept');
  t.equal((await readFile(join(directory, files[2] ?? ''))).length, 100);
});
