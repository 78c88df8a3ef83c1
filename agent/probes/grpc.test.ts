/** gRPC checks against a real server of the library that others use. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import t from 'tap';
import { grpcCheck } from './grpc.js';

interface Seen {
  service: string;
  agent: string;
}

const seen: Seen[] = [];
/** What the health service answers, by the name of the service. */
const answers = new Map<string, number | 'refuse' | 'hang'>();
/** The server has a question that it leaves open. */
let onHang = (): void => undefined;

const server = new Server();
server.addService(
  {
    check: {
      path: '/grpc.health.v1.Health/Check',
      requestStream: false,
      responseStream: false,
      requestSerialize: (value: Buffer) => value,
      requestDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (value: Buffer) => value,
      responseDeserialize: (bytes: Buffer) => bytes,
    },
  },
  {
    check: (
      call: { request: Buffer; metadata: { get(name: string): unknown[] } },
      done: (error: { code: number; details: string } | null, value?: Buffer) => void,
    ) => {
      const length = call.request.length === 0 ? 0 : call.request.length > 129 ? 3 : 2;
      const service = call.request.subarray(length).toString();
      seen.push({ service, agent: String(call.metadata.get('user-agent')[0]) });
      const answer = answers.get(service);
      if (answer === undefined) done({ code: status.NOT_FOUND, details: 'unknown service' });
      else if (answer === 'refuse') done({ code: status.UNIMPLEMENTED, details: 'unknown method Check' });
      else if (answer === 'hang') onHang();
      else done(null, answer === 0 ? Buffer.alloc(0) : Buffer.of(8, answer));
    },
  },
);
const port = await new Promise<number>((resolve, reject) => {
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
    error ? reject(error) : resolve(bound),
  );
});
t.teardown(() => server.forceShutdown());

/** `timeUp` takes the place of a clock: the time is over when it resolves. */
const check = (service?: string, { at = port, timeUp }: { at?: number; timeUp?: Promise<unknown> } = {}) => {
  const stop = new AbortController();
  void timeUp?.then(() => stop.abort());
  return grpcCheck(
    { port: at, ...(service !== undefined && { service }) },
    { podIp: '127.0.0.1', port: at, timeoutMs: 300 },
    stop.signal,
  );
};

t.test('what a health service can answer', async (t) => {
  answers.set('', 1).set('down', 2).set('none', 0).set('odd', 77).set('x'.repeat(300), 1).set('no', 'refuse');
  t.same(await check(), { success: true, output: 'service healthy' });
  t.same(await check('down'), {
    success: false,
    output: 'service unhealthy (responded with "NOT_SERVING")',
  });
  t.match(await check('none'), { success: false, output: /"UNKNOWN"/ });
  t.match(await check('odd'), { success: false, output: /"77"/ });
  t.match(await check('x'.repeat(300)), { success: true }, 'a long name');
  t.equal(seen.at(-1)?.service, 'x'.repeat(300));
  t.match(await check('gone'), {
    success: false,
    output: 'error: health rpc probe failed: rpc error: code = 5 desc = unknown service',
  });
  t.match(await check('no'), {
    success: false,
    output:
      'error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown method Check',
  });
  t.match(seen[0]?.agent, /^kube-probe\/1\.\d+$/);
});

t.test('time runs out: before and after there is a connection; nobody there', async (t) => {
  answers.set('slow', 'hang');
  const asked = new Promise<void>((resolve) => {
    onHang = resolve;
  });
  t.same(await check('slow', { timeUp: asked }), {
    success: false,
    output: 'timeout: health rpc did not complete within 0.3s',
  });
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket.resume())).listen(0, '127.0.0.1');
  await new Promise((resolve) => silent.once('listening', resolve));
  const at = (silent.address() as AddressInfo).port;
  t.match(await check('', { at, timeUp: once(silent, 'connection') }), {
    success: false,
    output: /^timeout: failed to connect service "127.0.0.1:\d+" within 0.3s/,
  });
  await t.resolves(
    new Promise((resolve) => (sockets[0]?.destroyed ? resolve(0) : sockets[0]?.once('close', resolve))),
  );
  silent.close();
  t.match(await check('', { at: 1 }), {
    success: false,
    output: 'error: failed to connect service at "127.0.0.1:1": connect: connection refused',
  });
});

t.test('connections do not stay', async (t) => {
  for (let n = 0; n < 20; n += 1) await check();
  await new Promise((resolve) => server.tryShutdown(resolve));
  t.pass('the server had nobody to wait for');
});
