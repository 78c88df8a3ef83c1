import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { isReason } from '../api/errors.js';
import { configMaps, namespaces } from '../api/kinds.js';
import { startTestApiServer } from '../testing/apiserver.js';
import { namespace } from '../testing/builders.js';
import { clientContract } from '../testing/client.contract.js';
import { createFakeClient } from '../testing/fakeclient.js';
import { linesOf } from './lines.js';
import { createRestClient } from './rest.js';

void t.test('passes the client contract', async (t) => {
  clientContract(t, async () => {
    const fake = createFakeClient();
    fake.seed(namespaces, namespace('default'));
    const server = await startTestApiServer(fake);
    const client = createRestClient({ server: server.url });
    return {
      client,
      close: async () => {
        await client.close();
        await server.close();
      },
    };
  });
});

void t.test('a server that is not there is ServiceUnavailable, with its cause', async (t) => {
  const client = createRestClient({ server: 'http://127.0.0.1:1' });
  t.teardown(() => client.close());
  const error = await client
    .get(configMaps, { namespace: 'a', name: 'b' })
    .catch((caught: unknown) => caught);
  t.ok(isReason(error, 'ServiceUnavailable'));
  t.ok((error as Error).cause);
});

/** A server that answers with bytes of the test's choosing. */
async function rawServer(
  answer: Parameters<typeof createServer>[1],
): Promise<{ server: Server; url: string }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

void t.test('refusals that are no Status keep code and text', async (t) => {
  const { server, url } = await rawServer((_request, response) => {
    response.writeHead(503);
    response.end('upstream is down');
  });
  const client = createRestClient({ server: url });
  t.teardown(async () => {
    await client.close();
    server.close();
  });
  await t.rejects(client.list(configMaps), { reason: 'ServiceUnavailable', message: 'upstream is down' });
});

void t.test('a watch joins lines over chunks, throws ERROR events, notices silence', async (t) => {
  let mode: 'split' | 'error' | 'silent' = 'split';
  const line = (name: string) => `${JSON.stringify({ type: 'ADDED', object: { metadata: { name } } })}\n`;
  const { server, url } = await rawServer((_request, response) => {
    response.writeHead(200);
    if (mode === 'split') {
      const bytes = Buffer.from(line('\u00e4') + line('b'));
      response.write(bytes.subarray(0, 42));
      setImmediate(() => response.end(bytes.subarray(42)));
    } else if (mode === 'error') {
      const object = { kind: 'Status', status: 'Failure', reason: 'Expired', message: 'too old', code: 410 };
      response.end(line('a') + JSON.stringify({ type: 'ERROR', object }));
    } else {
      response.write(line('a'));
    }
  });
  const client = createRestClient({ server: url });
  const hasty = createRestClient({ server: url, watchIdleMs: 100 });
  t.teardown(async () => {
    await Promise.all([client.close(), hasty.close()]);
    server.closeAllConnections();
    server.close();
  });
  const names = async (by = client): Promise<(string | undefined)[]> => {
    const seen: (string | undefined)[] = [];
    for await (const event of by.watch(configMaps, {})) seen.push(event.object.metadata.name);
    return seen;
  };
  t.strictSame(await names(), ['\u00e4', 'b']);
  mode = 'error';
  t.match(await names().catch((error: unknown) => error), { reason: 'Expired', message: 'too old' });
  mode = 'silent';
  t.ok(isReason(await names(hasty).catch((error: unknown) => error), 'ServiceUnavailable'));
});

void t.test('lines are bounded', async (t) => {
  async function* chunks() {
    yield Buffer.from('x'.repeat(20));
    yield Buffer.from('y\n');
  }
  await t.rejects(async () => {
    for await (const line of linesOf(chunks(), 10)) t.fail(line);
  }, /longer than 10 bytes/);
});
