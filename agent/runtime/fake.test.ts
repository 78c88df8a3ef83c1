/** The fake runtime passes the contract, and its switches do what tests of others rely on. */
import t from 'tap';
import { containerSpec, refused, runtimeContract, sandboxSpec } from './contract.js';
import { FakeRuntime } from './fake.js';
import { RuntimeError } from './runtime.js';

const commands = {
  serve: ['serve'],
  listens: ['true'],
  stubborn: ['stubborn'],
  exit3: ['exit', '3'],
  speak: ['speak'],
  cat: ['cat'],
  env: ['env'],
};

function createSubject(): { runtime: FakeRuntime; image: string; commands: typeof commands; unique: string } {
  const runtime = new FakeRuntime();
  runtime.images.add('busy:1');
  runtime.programs.set('speak', async ({ write }) => {
    await write('stdout', 'words\n');
    await write('stderr', 'oops\n');
    return 0;
  });
  return { runtime, image: 'busy:1', commands, unique: 'fake' };
}

t.test('contract', async (t) => runtimeContract(t, createSubject()));

t.test('failNext fails one call; setAvailable fails all and ends in a resync', async (t) => {
  const { runtime } = createSubject();
  runtime.failNext('createSandbox', new RuntimeError('failed', 'disk full'));
  await t.rejects(runtime.createSandbox(sandboxSpec('fake', 'a')), { message: 'disk full' });
  await runtime.createSandbox(sandboxSpec('fake', 'a'));
  const stop = new AbortController();
  const events = runtime.events(stop.signal);
  await events.next();
  runtime.setAvailable(false);
  await refused(t, runtime.listSandboxes(), 'unavailable');
  runtime.setAvailable(true);
  t.strictSame((await events.next()).value, { type: 'resync' });
  stop.abort();
  t.strictSame(
    runtime.calls.map(([call]) => call),
    ['createSandbox', 'createSandbox'],
  );
});

t.test('exit simulates the end of a container and of a sandbox', async (t) => {
  const subject = createSubject();
  const { runtime } = subject;
  const sandbox = await runtime.createSandbox(sandboxSpec('fake', 'a'));
  await runtime.startSandbox(sandbox);
  const container = await runtime.createContainer(sandbox, containerSpec(subject, 'a', commands.serve));
  await runtime.startContainer(container);
  runtime.exit(container, 137, { oomKilled: true });
  t.match(await runtime.inspectContainer(container), { state: 'exited', exitCode: 137, oomKilled: true });
  await refused(t, runtime.startContainer(container), 'conflict'); // a container runs once
  runtime.exit(sandbox, 0);
  t.match(await runtime.inspectSandbox(sandbox), { state: 'exited' });
});
