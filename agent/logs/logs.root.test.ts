/** Logs of a container that really runs: all options, and a follow that goes on while the file is rotated under it. */
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { containerSpec, sandboxSpec } from '../runtime/contract.js';
import { DockerRuntime } from '../runtime/docker.js';
import { removeLeftovers, testImage, testSocket } from '../runtime/docker-testing.js';
import { parseLogSelection } from './options.js';
import { readLog } from './select.js';

const unique = `t${randomBytes(4).toString('hex')}`;
const runtime = new DockerRuntime({
  socketPath: testSocket,
  node: unique,
  log: silentLogger,
  clock: systemClock,
  oomScoreFloor: 0,
});
t.teardown(async () => {
  await removeLeftovers(unique);
  runtime.close();
});
await runtime.ensureSandboxImage();
const subject = { runtime, image: await testImage(), commands: {} as never, unique };
const sandbox = await runtime.createSandbox(sandboxSpec(unique, 'logs'));
await runtime.startSandbox(sandbox);

async function start(name: string, script: string): Promise<string> {
  const spec = containerSpec(subject, name, ['/bin/sh', '-c', script]);
  const id = await runtime.createContainer(sandbox, spec);
  await runtime.startContainer(id);
  return id;
}

async function read(id: string, query: string): Promise<string> {
  const selection = parseLogSelection(new URLSearchParams(query), new Date());
  const chunks: Buffer[] = [];
  for await (const chunk of readLog(
    runtime,
    { id, selection, clock: systemClock },
    new AbortController().signal,
  ))
    chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

t.test('tail, time, size, follow to the end', async (t) => {
  const id = await start('options', 'echo one; sleep 1; echo two; echo three; sleep 3; echo bad >&2');
  t.equal(await read(id, 'follow=true'), 'one\ntwo\nthree\nbad\n', 'ends with the container');
  t.equal(await read(id, 'tailLines=2'), 'three\nbad\n');
  t.equal(await read(id, 'tailLines=0'), '');
  t.equal(await read(id, 'limitBytes=5'), 'one\nt');
  t.equal(await read(id, 'stream=Stderr'), 'bad\n');
  const stamped = await read(id, 'timestamps=true');
  t.match(stamped, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z one$/m);
  const [, time = ''] = /^(\S+) two$/m.exec(stamped) ?? [];
  t.equal(await read(id, `sinceTime=${encodeURIComponent(time)}`), 'two\nthree\nbad\n');
  t.equal(await read(id, 'sinceSeconds=3600'), 'one\ntwo\nthree\nbad\n');
});

/** Docker keeps the place of a reader across one rotation, not two: the writer waits for the reader after each part. */
t.test('a follow loses and repeats nothing while the file is rotated', { timeout: 120_000 }, async (t) => {
  const [lines, part] = [150_000, 10_000];
  const awk = `for (i = 1; i <= ${part}; i++) printf "%d ${'x'.repeat(100)}\\n", n + i`;
  const write = `/bin/busybox awk -v n=$n 'BEGIN { ${awk} }'; n=$((n + ${part}))`;
  const wait = 'while [ ! -e /read-$n ]; do sleep 0.05; done';
  const id = await start('rotated', `n=0; while [ $n -lt ${lines} ]; do ${write}; ${wait}; done; echo end`);
  let expected = 1;
  let wrong = 0;
  let last = '';
  const selection = parseLogSelection(new URLSearchParams('follow=true'), new Date());
  const { signal } = new AbortController();
  for await (const chunk of readLog(runtime, { id, selection, clock: systemClock }, signal)) {
    last = chunk.toString();
    if (last.startsWith(`${expected} `)) expected += 1;
    else if (last !== 'end\n') wrong += 1;
    const read = expected - 1;
    if (read % part === 0 && last !== 'end\n')
      await runtime.exec(id, { command: ['/bin/busybox', 'touch', `/read-${read}`], tty: false }, signal);
  }
  t.equal(expected - 1, lines);
  t.equal(wrong, 0);
  t.equal(last, 'end\n');
});
