/**
 * Random writers and watchers over HTTP, on disk, with the server stopped and started in the middle: every watcher sees each
 * committed change of its selection exactly once and in order, whether it goes on from the version it saw last or not.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { createTestCertificates, createTestServer, type TestServer } from '../http/testing.js';
import { createRegistry, stamp } from '../registry/generic.js';
import { createResources } from '../resources/table.js';
import { FileStore } from '../store/file.js';
import { type Chance, createChance } from './fuzz.js';
import { createPeer, type Peer, patchTypes, type Watching } from './testing.js';

const seed = Number(process.env['HISTORY_SEED'] ?? Date.now() % 1_000_000);
const maps = '/api/v1/namespaces/default/configmaps';
const selectors = ['', 'color=red', 'color!=red', 'color in (red,blue)', '!color', 'color,size'];
const colors = ['red', 'blue', null];
const sizes = ['s', null];
const writers = 6;
const writesEach = 60;

interface Change {
  version: number;
  name: string;
  uid: string;
  /** Absent when the change was a deletion. */
  labels: Record<string, string> | undefined;
}

interface Running {
  peer: Peer;
  api: TestServer;
  stop(): Promise<void>;
}

async function boot(directory: string, certificates: Certificates): Promise<Running> {
  const store = new FileStore({ directory, stamp, clock: systemClock, log: silentLogger });
  const signal = new AbortController().signal;
  await store.start();
  const registry = createRegistry({
    store,
    resources: createResources(),
    clock: systemClock,
    log: silentLogger,
    newUid: () => crypto.randomUUID(),
  });
  await registry.start(signal);
  const serving = { ...certificates.server, ca: certificates.ca };
  const api = await createTestServer({ registry, serving });
  const peer = createPeer(`https://127.0.0.1:${api.server.address().port}`, certificates.ca);
  return {
    peer,
    api,
    async stop() {
      peer.close();
      await api.close();
      await registry.stop();
      await store.stop();
    },
  };
}
type Certificates = Awaited<ReturnType<typeof createTestCertificates>>;

/** Writes at random and notes what was committed, under which version. */
async function write(peer: Peer, chance: Chance, log: Change[], count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const name = `m-${chance.below(8)}`;
    const path = `${maps}/${name}`;
    const labels = { color: chance.pick(colors), size: chance.pick(sizes), n: String(n) };
    const body = { metadata: { name, labels: withoutNull(labels) } };
    const what = chance.below(4);
    if (what === 3) {
      const { json: before } = await peer.ask('GET', path);
      const preconditions = { uid: before.metadata?.uid };
      if (before.kind === 'ConfigMap')
        await peer.ask('DELETE', path, { body: { kind: 'DeleteOptions', preconditions } });
      continue;
    }
    const patch = { type: patchTypes.merge, body: { metadata: { labels } } };
    const reply = await (what === 0 ? peer.ask('POST', maps, { body }) : peer.ask('PATCH', path, patch));
    if (reply.code >= 300) continue;
    const { metadata } = reply.json;
    log.push({
      version: Number(metadata.resourceVersion),
      name,
      uid: metadata.uid,
      labels: metadata.labels ?? {},
    });
  }
}

const withoutNull = (labels: Record<string, string | null>): object =>
  Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== null));

/** Follows one selection, and takes it up again from the version seen last when the stream ends. */
class Follower {
  readonly selector: string;
  readonly seen: string[] = [];
  version: string;
  #watch: Watching | undefined;
  #done = Promise.resolve();

  constructor(selector: string, version: string) {
    this.selector = selector;
    this.version = version;
  }

  async follow(peer: Peer): Promise<void> {
    const query = `watch=1&resourceVersion=${this.version}&labelSelector=${encodeURIComponent(this.selector)}`;
    const watch = await peer.watch(`${maps}?${query}`);
    this.#watch = watch;
    this.#done = this.#read(watch);
  }

  async #read(watch: Watching): Promise<void> {
    try {
      for (let event = await watch.next(); event; event = await watch.next()) {
        const { name, resourceVersion = '' } = event.object.metadata;
        this.version = resourceVersion;
        this.seen.push(`${resourceVersion} ${event.type} ${name}`);
      }
    } catch (error) {
      if (!/aborted|hang up|ECONNRESET|Premature close/.test(String(error))) throw error;
    }
  }

  async end(): Promise<void> {
    this.#watch?.close();
    await this.#done;
  }
}

const matches: Readonly<Record<string, (labels: Record<string, string>) => boolean>> = {
  '': () => true,
  'color=red': ({ color }) => color === 'red',
  'color!=red': ({ color }) => color !== 'red',
  'color in (red,blue)': ({ color }) => color === 'red' || color === 'blue',
  '!color': ({ color }) => color === undefined,
  'color,size': ({ color, size }) => color !== undefined && size !== undefined,
};

/** What a watcher of the selection must have seen of these changes. */
function expected(selector: string, changes: readonly Change[]): string[] {
  const isIn = new Set<string>();
  return changes.flatMap(({ version, name, labels }) => {
    const was = isIn.delete(name);
    const is = labels !== undefined && matches[selector]?.(labels) === true;
    if (is) isIn.add(name);
    if (!is && !was) return [];
    return [`${version} ${is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED'} ${name}`];
  });
}

t.test(`history of seed ${seed}`, { timeout: 120_000 }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-history-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const certificates = await createTestCertificates();
  let running = await boot(directory, certificates);
  await running.peer.ask('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } });
  const from: string = (await running.peer.ask('GET', maps)).json.metadata.resourceVersion;
  const log: Change[] = [];
  const followers = [...selectors, ...selectors].map((selector) => new Follower(selector, from));
  for (let round = 0; round < 3; round++) {
    await Promise.all(followers.map((follower) => follower.follow(running.peer)));
    const chances = Array.from({ length: writers }, (_, n) => createChance(seed + round * 100 + n));
    await Promise.all(chances.map((chance) => write(running.peer, chance, log, writesEach)));
    for (const follower of followers.slice(0, 3)) {
      await follower.end();
      await follower.follow(running.peer);
    }
    await running.stop();
    await Promise.all(followers.map((follower) => follower.end()));
    running = await boot(directory, certificates);
  }
  const last = await running.peer.ask('POST', maps, {
    body: { metadata: { name: 'end', labels: { color: 'red', size: 's' } } },
  });
  t.equal(last.code, 201);
  const whole = await running.peer.watch(`${maps}?watch=1&resourceVersion=${from}`);
  const changes: Change[] = [];
  for (let event = await whole.next(); event; event = await whole.next()) {
    const { name = '', uid = '', resourceVersion, labels } = event.object.metadata;
    const state = event.type === 'DELETED' ? undefined : (labels ?? {});
    changes.push({ version: Number(resourceVersion), name, uid, labels: state });
    if (name === 'end') break;
  }
  whole.close();
  const committed = new Map(changes.map((change) => [change.version, change]));
  t.equal(committed.size, changes.length, 'no version comes twice');
  for (const { version, name, labels } of log)
    t.same(committed.get(version)?.labels, labels, `${version} of ${name} is in history`);
  for (const follower of followers) {
    await follower.follow(running.peer);
    const wanted = expected(follower.selector, changes);
    for (let waited = 0; follower.seen.length < wanted.length && waited < 2000; waited++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    await follower.end();
    t.same(follower.seen, wanted, `every change of ${follower.selector || 'everything'}, once, in order`);
  }
  const now = (await running.peer.ask('GET', maps)).json;
  const options = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const initial = await running.peer.watch(`${maps}?${options}`);
  const seen = await initial.take(now.items.length + 1);
  t.equal(seen.at(-1), 'BOOKMARK', 'initial events are what is there');
  initial.close();
  await running.stop();
});
