/**
 * For tests with real packets: runs a test file inside a network namespace of its own, and makes further namespaces
 * that are connected to it or used as pods. Nothing of it touches the host's own network.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { systemClock } from '../../src/host/clock.js';
import { run, runChecked } from '../../src/host/exec.js';

const marker = 'WHERRY_TEST_NAMESPACE';

/**
 * True inside the namespace. Outside it runs the same file again inside one, as a subtest, and returns false:
 * `if (await insideNamespace(t, import.meta.url)) { ...tests... }`.
 */
export async function insideNamespace(t: Test, url: string): Promise<boolean> {
  if (process.env[marker] === '1') {
    await runChecked('ip', ['link', 'set', 'lo', 'up']);
    return true;
  }
  const args = ['-n', process.execPath, ...process.execArgv, fileURLToPath(url)];
  await t.spawn('unshare', args, { env: { ...process.env, [marker]: '1' }, timeout: 300_000 });
  return false;
}

/** A process that does nothing but hold a network namespace, as the sandbox of a pod does. */
export interface TestNamespace {
  pid: number;
  /** `/proc/<pid>/ns/net`. */
  path: string;
  /** Arguments that run a program inside. */
  enter: readonly string[];
  close(): Promise<void>;
}

export async function createNamespace(): Promise<TestNamespace> {
  const child = spawn('unshare', ['-n', 'sh', '-c', 'ip link set lo up && echo ready && exec sleep 600'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const pid = child.pid ?? 0;
  return {
    pid,
    path: `/proc/${pid}/ns/net`,
    enter: ['nsenter', `--net=/proc/${pid}/ns/net`],
    close: () => end(child),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Waits for what happens in the background; gives up after half a minute. */
export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
  while (!(await isTrue())) await systemClock.sleep(5, signal);
}

/** Several `ip` commands, one per line. */
export const ip = (lines: string): Promise<unknown> => runChecked('ip', ['-batch', '-'], { input: lines });

/** Connects a namespace to the current one with a veth pair and gives it a default route. */
export async function connect(ns: TestNamespace, device: string, here: string, there: string): Promise<void> {
  await ip(`link add ${device} type veth peer name eth0 netns ${ns.pid}
    address add ${here}/24 dev ${device}
    link set ${device} up\n`);
  await runChecked('nsenter', [`--net=${ns.path}`, 'ip', '-batch', '-'], {
    input: `address add ${there}/24 dev eth0\nlink set eth0 up\nroute add default via ${here}\n`,
  });
}

export type Protocol = 'tcp' | 'udp';

/** Without the hooks that the test runner puts into every Node process below it: they cost most of a second each. */
const plainNode = ['env', '-u', 'NODE_OPTIONS', process.execPath, '-e'];

const serverScript = `
const [protocol, port, name] = process.argv.slice(1);
const answer = (address) => name + ' ' + address;
if (protocol === 'udp') {
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('message', (_, from) => socket.send(answer(from.address), from.port, from.address));
  socket.bind(Number(port), '0.0.0.0', () => console.log('ready'));
} else {
  require('node:net')
    .createServer((socket) => socket.on('error', () => {}).end(answer(socket.remoteAddress)))
    .listen(Number(port), '0.0.0.0', () => console.log('ready'));
}`;

const clientScript = `
const [protocol, address, port, localPort] = process.argv.slice(1);
const timer = setTimeout(() => finish("timeout"), 20000);
function finish(text) { clearTimeout(timer); console.log(text); process.exit(0); }
if (protocol === 'udp') {
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('error', (error) => finish(error.code)).on('message', (data) => finish(String(data)));
  socket.bind(Number(localPort), () => socket.connect(Number(port), address, () => socket.send('?')));
} else {
  let text = '';
  require('node:net').connect(Number(port), address)
    .on('data', (data) => { text += data; }).on('end', () => finish(text)).on('error', (error) => finish(error.code));
}`;

/** Answers every connection or datagram with its name and the address it sees. */
export async function serve(
  ns: TestNamespace | undefined,
  options: { protocol: Protocol; port: number; name: string },
): Promise<() => Promise<void>> {
  const [file = '', ...args] = [...(ns?.enter ?? []), ...plainNode, serverScript];
  const child = spawn(file, [...args, options.protocol, String(options.port), options.name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return () => end(child);
}

/** What a server answers (`name address`), or `ECONNREFUSED`, `timeout`... */
export async function ask(
  ns: TestNamespace | undefined,
  target: { protocol: Protocol; address: string; port: number; localPort?: number },
): Promise<string> {
  const [file = '', ...args] = [...(ns?.enter ?? []), ...plainNode, clientScript];
  const { protocol, address, port, localPort = 0 } = target;
  const result = await run(file, [...args, protocol, address, String(port), String(localPort)]);
  return result.stdout.trim() || result.stderr.trim();
}

const hammerScript = `
const [address, port] = process.argv.slice(1);
let isOver = false;
process.stdin.on('end', () => { isOver = true; }).resume();
function once() {
  if (isOver) return undefined;
  return new Promise((resolve) => {
    let text = '';
    const socket = require('node:net').connect(Number(port), address);
    socket.setTimeout(20000, () => socket.destroy(new Error('timeout')));
    socket.on('data', (data) => { text += data; });
    socket.on('error', (error) => console.log(error.code ?? error.message));
    socket.on('close', (failed) => { if (!failed) console.log(text.split(' ')[0]); resolve(); });
  }).then(once);
}
for (let client = 0; client < 4; client += 1) once();`;

export interface Hammer {
  /** How often each server answered and each error came. */
  readonly counts: ReadonlyMap<string, number>;
  /** Resolves when all connections have ended. */
  stop(): Promise<void>;
}

/** Four clients that connect again and again. */
export function hammer(ns: TestNamespace, target: { address: string; port: number }): Hammer {
  const [file = '', ...args] = [...ns.enter, ...plainNode, hammerScript];
  const child = spawn(file, [...args, target.address, String(target.port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const counts = new Map<string, number>();
  createInterface(child.stdout).on('line', (line) => counts.set(line, (counts.get(line) ?? 0) + 1));
  const closed = once(child, 'close');
  return {
    counts,
    async stop() {
      child.stdin.end();
      await closed;
    },
  };
}
