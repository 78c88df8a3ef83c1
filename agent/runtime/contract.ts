/**
 * 8. The contract of `Runtime` as tests: one suite that every implementation passes, the fake and the real ones.
 * Called by the tests of each implementation, which bring the commands that their image understands.
 *
 * Where the runtime runs CNI (`networkedBy: 'runtime'`), a sandbox is made and started in one call: it is never `created`.
 */
import { Readable, Writable } from 'node:stream';
import type { Test } from 'tap';
import {
  type ContainerSpec,
  type ContainerState,
  type LogOptions,
  labels,
  type Runtime,
  type RuntimeError,
  type RuntimeEvent,
  type SandboxSpec,
} from './runtime.js';

export interface ContractSubject {
  runtime: Runtime;
  /** A reference that is present and has the commands. */
  image: string;
  commands: {
    /** Runs until SIGTERM, then exits 0. */
    serve: readonly string[];
    /** Ends when `serve`, which is process 1, listens to SIGTERM. */
    listens: readonly string[];
    /** Runs until SIGKILL. */
    stubborn: readonly string[];
    /** Exits 3. */
    exit3: readonly string[];
    /** Writes `words` to stdout, `oops` to stderr, exits 0. */
    speak: readonly string[];
    /** Copies stdin to stdout. */
    cat: readonly string[];
    env: readonly string[];
  };
  /** Makes names of this run its own. */
  unique: string;
}

export function sandboxSpec(unique: string, name: string): SandboxSpec {
  const uid = `${unique}-${name}`;
  return {
    name: `k8s_POD_${name}_default_${uid}_0`,
    labels: {
      [labels.podUid]: uid,
      [labels.podName]: name,
      [labels.podNamespace]: 'default',
      [labels.type]: 'sandbox',
      [labels.node]: unique,
      [labels.attempt]: '0',
    },
    hostname: name,
    network: 'pod',
    pid: 'container',
    ipc: 'pod',
    cgroupParent: '',
    sysctls: {},
  };
}

export function containerSpec(
  subject: ContractSubject,
  pod: string,
  command: readonly string[],
): ContainerSpec {
  const uid = `${subject.unique}-${pod}`;
  return {
    name: `k8s_main_${pod}_default_${uid}_0`,
    labels: {
      ...sandboxSpec(subject.unique, pod).labels,
      [labels.containerName]: 'main',
      [labels.type]: 'container',
    },
    image: subject.image,
    command,
    env: [{ name: 'COLOUR', value: 'blue' }],
    mounts: [],
    tty: false,
    stdin: false,
    stdinOnce: false,
    resources: {},
    security: {},
    cgroupParent: '',
  };
}

/** Collects what is written to it. */
export function sink(): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString() };
}

/** The call must reject with a `RuntimeError` of this kind. */
export async function refused(
  t: Test,
  call: Promise<unknown>,
  kind: RuntimeError['kind'],
  message = /./,
): Promise<void> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  t.match(error, { name: 'RuntimeError', kind, message }, `is refused: ${kind}`);
}

const noLimit = (): AbortSignal => new AbortController().signal;

/** Waits by events, not by time, until the container has exited. */
async function exited(runtime: Runtime, id: string): Promise<ContainerState> {
  const stop = new AbortController();
  for await (const _ of runtime.events(stop.signal)) {
    const state = await runtime.inspectContainer(id);
    if (state?.state === 'exited') {
      stop.abort();
      return state;
    }
  }
  throw new Error('the event stream ended');
}

async function readLogs(runtime: Runtime, id: string, options: Partial<LogOptions> = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of runtime.logs(id, {
    follow: false,
    timestamps: false,
    signal: noLimit(),
    ...options,
  })) {
    lines.push(`${line.stream} ${line.text}`);
  }
  return lines.sort();
}

/** Registers the suite as subtests of `t`. */
export function runtimeContract(t: Test, subject: ContractSubject): void {
  const { runtime, commands } = subject;
  const startsAtOnce = runtime.networkedBy === 'runtime';

  async function startPod(
    pod: string,
    command: readonly string[],
  ): Promise<{ sandbox: string; container: string }> {
    const sandbox = await runtime.createSandbox(sandboxSpec(subject.unique, pod));
    await runtime.startSandbox(sandbox);
    const container = await runtime.createContainer(sandbox, containerSpec(subject, pod, command));
    await runtime.startContainer(container);
    return { sandbox, container };
  }

  t.test('a pod lives from creation to removal, and every step may be repeated', async (t) => {
    await runtime.ensureSandboxImage();
    const sandbox = await runtime.createSandbox(sandboxSpec(subject.unique, 'life'));
    t.match(
      await runtime.inspectSandbox(sandbox),
      startsAtOnce ? { state: 'running' } : { state: 'created', pid: 0, networkNamespace: '' },
    );
    const running = await runtime.startSandbox(sandbox);
    t.match(running, {
      id: sandbox,
      state: 'running',
      name: `k8s_POD_life_default_${subject.unique}-life_0`,
    });
    t.ok(running.pid > 0);
    t.equal(running.networkNamespace, `/proc/${running.pid}/ns/net`);
    t.equal((await runtime.startSandbox(sandbox)).pid, running.pid, 'starting what runs succeeds');
    t.equal((running.ips ?? []).length > 0, startsAtOnce, 'who runs CNI tells the addresses');

    const container = await runtime.createContainer(sandbox, containerSpec(subject, 'life', commands.serve));
    t.match(await runtime.inspectContainer(container), {
      state: 'created',
      sandboxId: sandbox,
      image: subject.image,
      startedAt: undefined,
      finishedAt: undefined,
      exitCode: undefined,
      pid: 0,
      error: '',
    });
    await runtime.startContainer(container);
    await runtime.startContainer(container);
    const state = await runtime.inspectContainer(container);
    t.match(state, { state: 'running', exitCode: undefined, finishedAt: undefined, oomKilled: false });
    t.ok(state?.pid && state.startedAt && state.imageId);
    t.match(state?.labels, { [labels.containerName]: 'main', [labels.podUid]: `${subject.unique}-life` });

    t.equal(await runtime.exec(container, { command: commands.listens, tty: false }, noLimit()), 0);
    await runtime.stopContainer(container, 10_000);
    await runtime.stopContainer(container, 10_000);
    t.match(await runtime.inspectContainer(container), { state: 'exited', exitCode: 0, pid: 0 });
    await runtime.removeContainer(container);
    await runtime.removeContainer(container);
    t.equal(await runtime.inspectContainer(container), undefined);
    await runtime.stopSandbox(sandbox, 1000);
    await runtime.stopSandbox(sandbox, 1000);
    t.match(await runtime.inspectSandbox(sandbox), { state: 'exited', pid: 0, networkNamespace: '' });
    await runtime.removeSandbox(sandbox);
    await runtime.removeSandbox(sandbox);
    t.equal(await runtime.inspectSandbox(sandbox), undefined);
  });

  t.test('what is wrong is refused with a kind', async (t) => {
    const spec = sandboxSpec(subject.unique, 'wrong');
    const sandbox = await runtime.createSandbox(spec);
    await refused(t, runtime.createSandbox(spec), 'conflict'); // the name is taken
    const container = await runtime.createContainer(sandbox, containerSpec(subject, 'wrong', commands.serve));
    const other = containerSpec(subject, 'other', commands.serve);
    const otherLabels = { ...other.labels, [labels.containerName]: 'other' };
    const missing = { ...other, labels: otherLabels, image: 'wherry.invalid/missing:1' };
    await refused(t, runtime.createContainer(sandbox, missing), 'imageNotFound');
    const orphan = containerSpec(subject, 'orphan', commands.serve);
    await refused(t, runtime.createContainer('0'.repeat(64), orphan), 'notFound'); // no such sandbox
    await refused(t, runtime.startContainer('0'.repeat(64)), 'notFound');
    await refused(t, runtime.exec(container, { command: commands.env, tty: false }, noLimit()), 'conflict');
    if (startsAtOnce) await runtime.stopSandbox(sandbox, 0);
    await refused(t, runtime.startContainer(container), 'conflict'); // its sandbox does not run
    await runtime.removeSandbox(sandbox);
    t.equal(await runtime.inspectContainer(container), undefined, 'a sandbox takes its containers along');
  });

  t.test('a command that does not exist leaves an exited container that says why', async (t) => {
    const sandbox = await runtime.createSandbox(sandboxSpec(subject.unique, 'nocmd'));
    await runtime.startSandbox(sandbox);
    const spec = containerSpec(subject, 'nocmd', ['/no/such/command']);
    const container = await runtime.createContainer(sandbox, spec);
    await refused(t, runtime.startContainer(container), 'invalid', /no\/such\/command/);
    const state = await runtime.inspectContainer(container);
    t.match(state, { state: 'exited', exitCode: 127, error: /no\/such\/command/, startedAt: undefined });
    await runtime.removeSandbox(sandbox);
  });

  t.test('exit codes, the end by SIGKILL and lists', async (t) => {
    const failed = await startPod('exit3', commands.exit3);
    const state = await exited(runtime, failed.container);
    t.equal(state.exitCode, 3);
    t.ok(state.finishedAt && state.startedAt && state.finishedAt >= state.startedAt);
    const stubborn = await startPod('stubborn', commands.stubborn);
    await runtime.stopContainer(stubborn.container, 100);
    t.equal((await runtime.inspectContainer(stubborn.container))?.exitCode, 137);

    const mine = await runtime.listContainers({ podUid: `${subject.unique}-exit3` });
    t.strictSame(
      mine,
      [await runtime.inspectContainer(failed.container)],
      'a list tells all that inspect tells',
    );
    const sandboxes = await runtime.listSandboxes();
    t.ok(
      sandboxes.some(({ id }) => id === failed.sandbox) &&
        sandboxes.some(({ id }) => id === stubborn.sandbox),
    );
    t.strictSame(await runtime.listSandboxes({ podUid: 'nobody' }), []);
    t.equal((await runtime.listContainers()).filter(({ id }) => id === stubborn.container).length, 1);
    await runtime.removeSandbox(failed.sandbox);
    await runtime.removeSandbox(stubborn.sandbox);
  });

  t.test('logs: all, the tail, since, and following until the container ends', async (t) => {
    const { sandbox, container } = await startPod('logs', commands.speak);
    const { finishedAt } = await exited(runtime, container);
    t.strictSame(await readLogs(runtime, container), ['stderr oops', 'stdout words']);
    t.strictSame(await readLogs(runtime, container, { follow: true }), ['stderr oops', 'stdout words']);
    t.equal((await readLogs(runtime, container, { tailLines: 1 })).length, 1);
    t.strictSame(await readLogs(runtime, container, { tailLines: 0 }), []);
    t.strictSame(await readLogs(runtime, container, { since: new Date(Number(finishedAt) + 5000) }), []);
    await refused(t, readLogs(runtime, '0'.repeat(64)), 'notFound');
    await runtime.removeSandbox(sandbox);
  });

  t.test('following a log ends when the caller aborts', async (t) => {
    const { sandbox, container } = await startPod('follow', commands.serve);
    const stop = new AbortController();
    const reading = readLogs(runtime, container, { follow: true, signal: stop.signal });
    stop.abort();
    t.strictSame(await reading, []);
    await runtime.removeSandbox(sandbox);
  });

  t.test('exec: output, input, exit code, abort', async (t) => {
    const { sandbox, container } = await startPod('exec', commands.serve);
    const [out, err] = [sink(), sink()];
    const run = (command: readonly string[], stdin?: Readable): Promise<number> =>
      runtime.exec(
        container,
        { command, tty: false, stdin, stdout: out.stream, stderr: err.stream },
        noLimit(),
      );
    t.equal(await run(commands.exit3), 3);
    t.equal(await run(commands.speak), 0);
    t.equal(out.text(), 'words\n');
    t.equal(err.text(), 'oops\n');
    t.equal(await run(commands.cat, Readable.from([Buffer.from('from stdin')])), 0);
    t.equal(out.text(), 'words\nfrom stdin');
    t.equal(await run(commands.env), 0);
    t.match(out.text(), /COLOUR=blue\n/);
    t.ok([126, 127].includes(await run(['/no/such/command'])));
    t.match(`${out.text()}${err.text()}`, /no\/such\/command/, 'the reader learns why');

    const stop = new AbortController();
    const endless = runtime.exec(container, { command: commands.stubborn, tty: false }, stop.signal);
    stop.abort(new Error('probe timed out'));
    await t.rejects(endless, { message: 'probe timed out' });
    t.ok(await runtime.stats(container));
    await runtime.removeSandbox(sandbox);
    t.equal(await runtime.stats(container), undefined);
  });

  t.test('events name the pod; each new reader starts with a resync', async (t) => {
    const stop = new AbortController();
    const seen: RuntimeEvent[] = [];
    const events = runtime.events(stop.signal)[Symbol.asyncIterator]();
    t.strictSame((await events.next()).value, { type: 'resync' });
    const { sandbox } = await startPod('events', commands.serve);
    // What happened to pods that were removed before may be told late.
    while (!seen.some((event) => event.type === 'pod' && event.podUid === `${subject.unique}-events`))
      seen.push((await events.next()).value);
    t.ok(seen.every(({ type }) => type === 'pod'));
    stop.abort();
    while (!(await events.next()).done) t.pass('what waited is still read');
    await runtime.removeSandbox(sandbox);
  });

  t.test('images are found by id and by name; what is gone is not an error', async (t) => {
    const image = await runtime.inspectImage(subject.image);
    t.ok(image?.id && image.repoTags.includes(subject.image));
    t.strictSame(await runtime.inspectImage(image?.id ?? ''), image);
    t.ok((await runtime.listImages()).some(({ id }) => id === image?.id));
    t.equal(await runtime.inspectImage('wherry.invalid/missing:1'), undefined);
    await runtime.removeImage('wherry.invalid/missing:1');
    await t.rejects(runtime.pullImage('wherry.invalid/missing:1', undefined, noLimit()));
    t.ok((await runtime.version()).version);
  });

  t.test('limits change while it runs; what it wrote is told; what is gone is no error', async (t) => {
    const { sandbox, container } = await startPod('limits', commands.serve);
    const mib = 1024 * 1024;
    await runtime.updateContainer(container, { cpuShares: 512, cpuQuota: 50_000, memoryBytes: 256 * mib });
    await runtime.updateContainer(container, { memoryBytes: 64 * mib });
    t.match(await runtime.inspectContainer(container), { state: 'running' });
    await runtime.updateContainer('0'.repeat(64), { cpuShares: 2 });
    const written = await runtime.writableLayerBytes();
    t.type(written.get(container), 'number');
    t.notOk(written.has(sandbox), 'only containers');
    t.match(await runtime.imageDirectory(), /^\//);
    await runtime.removeSandbox(sandbox);
    t.notOk((await runtime.writableLayerBytes()).has(container));
  });

  t.test('a sandbox that runs takes along what runs in it', async (t) => {
    const { sandbox, container } = await startPod('atonce', commands.stubborn);
    await runtime.removeSandbox(sandbox);
    t.equal(await runtime.inspectContainer(container), undefined);
    t.equal(await runtime.inspectSandbox(sandbox), undefined);
  });
}
