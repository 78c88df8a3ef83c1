/** Where events go: a file that is rotated and survives crashes and a full disk, a webhook that is away for a while. */
import { appendFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createAudit } from './audit.js';
import { RotatedFile } from './file.js';
import type { AuditOptions } from './options.js';
import { Spool, type SpoolOptions, Undeliverable } from './spool.js';
import { AuditWebhook } from './webhook.js';

const day = 24 * 3_600_000;

t.test('rotated by size, kept by number, compressed, private', async (t) => {
  const dir = t.testdir();
  const clock = createFakeClock();
  const path = `${dir}/log/audit.log`;
  const file = new RotatedFile({ path, maxBytes: 100, maxBackups: 2, maxAgeDays: 0, compress: true, clock });
  await file.open();
  for (let n = 0; n < 5; n += 1) {
    await file.append([`${n}${'x'.repeat(40)}`, `${n}${'y'.repeat(40)}`]);
    await clock.advance(1000);
  }
  await file.close();
  t.same((await readdir(`${dir}/log`)).sort(), [
    'audit-2026-01-01T00-00-03.000.log.gz',
    'audit-2026-01-01T00-00-04.000.log.gz',
    'audit.log',
  ]);
  t.equal((await stat(path)).mode & 0o777, 0o600);
  const old = `${dir}/log/audit-2026-01-01T00-00-04.000.log.gz`;
  t.equal((await stat(old)).mode & 0o777, 0o600);
  t.match(gunzipSync(await readFile(old)).toString(), /^3x+\n3y+\n$/);
  t.match(await readFile(path, 'utf8'), /^4x+\n4y+\n$/);
});

t.test('old files go after their days, also two of one moment; others stay', async (t) => {
  const dir = t.testdir({
    'audit-2025-12-01T00-00-00.000.log': 'old',
    'audit-notes.log': 'kept',
    'audit-2025-12-01T00-00-00.000.log.bak': 'kept',
  });
  const clock = createFakeClock();
  const common = { path: `${dir}/audit.log`, maxBytes: 10, maxBackups: 0, compress: false, clock };
  const file = new RotatedFile({ ...common, maxAgeDays: 7 });
  await file.open();
  for (const line of ['first-line', 'second-line', 'third-line']) await file.append([line]);
  const rotated = ['audit-2026-01-01T00-00-00.000-1.log', 'audit-2026-01-01T00-00-00.000.log'];
  const others = ['audit-2025-12-01T00-00-00.000.log.bak', 'audit-notes.log', 'audit.log'];
  t.same((await readdir(dir)).sort(), [...others, ...rotated].sort());
  await clock.advance(8 * day);
  await file.append(['fourth-line']);
  t.same((await readdir(dir)).sort(), [...others, 'audit-2026-01-09T00-00-00.000.log'].sort());
  await file.close();
});

t.test('half a line that a crash left is cut off', async (t) => {
  const dir = t.testdir({ 'audit.log': 'whole\n' });
  const path = `${dir}/audit.log`;
  await appendFile(path, `{"half":${'x'.repeat(200_000)}`);
  const common = { maxBytes: 1e9, maxBackups: 0, maxAgeDays: 0, compress: false, clock: createFakeClock() };
  const file = new RotatedFile({ path, ...common });
  await file.open();
  await file.append(['next']);
  await file.close();
  t.equal(await readFile(path, 'utf8'), 'whole\nnext\n');
});

t.test('a place that takes nothing: kept, offered again, dropped when too many', async (t) => {
  const clock = createFakeClock();
  let isOpen = false;
  const arrived: string[] = [];
  const spool = createSpool({
    clock,
    capacity: { events: 3, bytes: 1000 },
    async deliver(events) {
      if (!isOpen) throw new Error('no space left');
      arrived.push(...events);
    },
  });
  t.same(
    ['a', 'b', 'c', 'd'].map((text) => spool.take(text)),
    [true, true, true, false],
  );
  await clock.advance(0);
  await clock.advance(1000);
  t.same(arrived, []);
  isOpen = true;
  await clock.advance(2000);
  await clock.advance(0);
  t.same(arrived, ['a', 'b', 'c']);
  t.equal(spool.take('e'), true);
  await spool.stop();
  t.same(arrived, ['a', 'b', 'c', 'e']);
});

t.test('strict: takes nothing while the place takes nothing', async (t) => {
  const clock = createFakeClock();
  let isOpen = false;
  const spool = createSpool({
    clock,
    strict: true,
    deliver: async () => {
      if (!isOpen) throw new Error('away');
    },
  });
  t.equal(spool.take('a'), true);
  await clock.advance(0);
  t.equal(spool.take('b'), false);
  isOpen = true;
  await clock.advance(1000);
  await clock.advance(0);
  t.equal(spool.take('c'), true);
  await spool.stop();
});

t.test('what is refused for good is lost, and what comes behind it is not', async (t) => {
  const arrived: string[] = [];
  let lost = 0;
  const spool = createSpool({
    batch: { events: 2, bytes: 10 },
    lost: (events) => {
      lost += events;
    },
    async deliver(events) {
      if (events.includes('bad')) throw new Undeliverable('413');
      arrived.push(...events);
    },
  });
  for (const text of ['a', 'bad', 'b', 'a very long one', 'c']) spool.take(text);
  await spool.stop();
  t.same(arrived, ['b', 'a very long one', 'c']);
  t.equal(lost, 2);
});

t.test('a webhook that is away for a while gets everything, in batches, once', async (t) => {
  const lists: { kind: string; items: { n: number }[] }[] = [];
  let code = 503;
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (code === 200) lists.push(JSON.parse(Buffer.concat(chunks).toString()) as (typeof lists)[0]);
      response.writeHead(code).end();
    });
  });
  const port = await listen(receiver);
  t.teardown(() => receiver.close());
  const dir = t.testdir({
    'policy.yaml': 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n',
    'hook.kubeconfig': JSON.stringify({
      'current-context': 'x',
      contexts: [{ name: 'x', context: { cluster: 'c' } }],
      clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}/audit?a=b` } }],
    }),
  });
  const clock = createFakeClock();
  const options: AuditOptions = {
    policyFile: `${dir}/policy.yaml`,
    strict: false,
    log: undefined,
    webhook: {
      configFile: `${dir}/hook.kubeconfig`,
      ...{ bufferSize: 100, maxSize: 4, maxWaitMs: 5000, initialBackoffMs: 1000 },
    },
  };
  const audit = await createAudit(options, { clock, log: silentLogger });
  await audit.start(new AbortController().signal);
  const message = (n: number): never =>
    ({
      method: 'GET',
      headers: { 'user-agent': String(n) },
      socket: { remoteAddress: '::ffff:10.0.0.1' },
    }) as never;
  const request = (n: number): void => audit.log.open(message(n), '/x', String(n)).ended(200);
  for (let n = 0; n < 10; n += 1) request(n);
  await until(() => clock.pending > 0);
  t.equal(lists.length, 0);
  code = 200;
  await clock.advance(2000);
  await until(() => lists.length === 2 && clock.pending > 0);
  await clock.advance(5000);
  await until(() => lists.length === 3);
  await audit.stop();
  t.same(
    lists.map(({ items }) => items.length),
    [4, 4, 2],
  );
  t.match(lists[0], {
    kind: 'EventList',
    apiVersion: 'audit.k8s.io/v1',
    items: [{ auditID: '0', sourceIPs: ['10.0.0.1'] }],
  });
});

t.test(
  'a webhook that never ends its answers, or gives none: events arrive, and a stop is a stop',
  async (t) => {
    let received = 0;
    let isSilent = false;
    const receiver = createServer((request, response) => {
      request.resume().on('end', () => {
        received += 1;
        if (isSilent) return;
        response.writeHead(200);
        response.write('and');
      });
    });
    const port = await listen(receiver);
    t.teardown(() => {
      receiver.closeAllConnections();
      receiver.close();
    });
    const clock = createFakeClock();
    const webhook = new AuditWebhook({ server: `http://127.0.0.1:${port}/` }, clock);
    for (let n = 0; n < 40; n += 1) {
      await webhook.post(['{}']);
      // As long as the receiver is waited for at most.
      await clock.advance(1000);
    }
    t.equal(received, 40);
    isSilent = true;
    const failing = t.rejects(webhook.post(['{}']), /gave no answer in time/);
    await until(() => received === 41);
    await clock.advance(30_000);
    await failing;
    t.equal(clock.pending, 0);
    const givenUp = t.rejects(webhook.post(['{}']), /gave no answer in time/);
    await until(() => received === 42);
    webhook.giveUp();
    await givenUp;
    await t.rejects(webhook.post(['{}']), /not waited for any more/);
    await webhook.close();
  },
);

t.test('files that are not what they should be are named', async (t) => {
  const dir = t.testdir({ policy: 'kind: Policy' });
  const options = { policyFile: `${dir}/policy`, strict: false, log: undefined, webhook: undefined };
  const deps = { clock: createFakeClock(), log: silentLogger };
  await t.rejects(createAudit(options, deps), /policy: not a valid audit policy: apiVersion/);
  await rm(`${dir}/policy`);
  await t.rejects(createAudit(options, deps), /ENOENT/);
  await writeFile(`${dir}/policy`, 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]');
  const log = {
    path: `${dir}/policy/x/audit.log`,
    maxAgeDays: 0,
    maxBackups: 0,
    maxBytes: 1,
    compress: false,
  };
  const audit = await createAudit({ ...options, log }, deps);
  await t.rejects(audit.start(new AbortController().signal), /EEXIST|ENOTDIR/, 'known at the start');
});

const createSpool = (more: Partial<SpoolOptions>): Spool =>
  new Spool({
    name: 'log',
    deliver: async () => undefined,
    capacity: { events: 100, bytes: 10_000 },
    batch: { events: 100, bytes: 10_000 },
    waitMs: 0,
    backoff: { minMs: 1000, maxMs: 10_000 },
    strict: false,
    clock: createFakeClock(),
    log: silentLogger,
    lost: () => undefined,
    ...more,
  });

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}
