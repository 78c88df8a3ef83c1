/**
 * What a cluster is used for, a few times a second, while its certificates come and go: every way in which a client comes to
 * the API and the API to an agent. Counts what failed, and says when.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { configMaps } from '../src/api/kinds.js';
import type { ConfigMap } from '../src/api/types.js';
import { clusterInfo } from '../src/client/clusterinfo.js';
import { loadKubeconfig } from '../src/client/kubeconfig.js';
import { createRestClient, type RestClient } from '../src/client/rest.js';
import { systemClock } from '../src/host/clock.js';
import { runChecked } from '../src/host/exec.js';
import type { Cluster } from './cluster.js';

export interface Load {
  readonly counts: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
  /** Ends all of it; resolves when nothing is under way. */
  stop(): Promise<void>;
}

type Step = (signal: AbortSignal) => Promise<void>;

export const loadPod = 'speaker';
const namespace = 'default';
const minWatchMs = 1_700_000;

/** `pod` prints a line every second and has a shell. */
export async function startLoad(cluster: Cluster): Promise<Load> {
  const counts: Record<string, number> = {};
  const failures: string[] = [];
  const stopping = new AbortController();
  const { signal } = stopping;
  const clients: RestClient[] = [];

  const fail = (what: string, error: unknown): void => {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
    const message = error instanceof Error ? error.message + cause : String(error);
    failures.push(`${new Date().toISOString()} ${what}: ${message}`);
    process.stderr.write(`${failures.at(-1)}\n`);
  };

  async function repeat(what: string, everyMs: number, step: Step): Promise<void> {
    while (!signal.aborted) {
      try {
        await step(signal);
        counts[what] = (counts[what] ?? 0) + 1;
      } catch (error) {
        if (!signal.aborted) fail(what, error);
      }
      await systemClock.sleep(everyMs, signal).catch(() => undefined);
    }
  }

  /** Goes on for ever, unless something breaks it. */
  async function last(what: string, run: Step): Promise<void> {
    try {
      await run(signal);
      if (!signal.aborted) fail(what, new Error('ended'));
    } catch (error) {
      if (!signal.aborted) fail(what, error);
    }
  }

  const byCertificate = await clientOf(cluster, 'certificate');
  const byToken = await clientOf(cluster, 'token');
  clients.push(byCertificate, byToken);
  const { server, ca, token = '' } = await loadKubeconfig(cluster.kubeconfig);
  /** As a pod that read its files when it began. */
  const stubborn = { server, ca, token };
  const work = [
    repeat('write with a certificate', 500, () => writeOne(byCertificate, 'by-certificate')),
    repeat('write with a token', 500, () => writeOne(byToken, 'by-token')),
    repeat('a new connection with a certificate', 1_000, async () => {
      const client = await clientOf(cluster, 'certificate');
      await client.list(configMaps, { namespace });
      await client.close();
    }),
    repeat('a new connection of who knows the first authority only', 1_000, async () => {
      const client = createRestClient(stubborn);
      await client.list(configMaps, { namespace });
      await client.close();
    }),
    repeat('statistics through the proxy of the node', 1_000, async () => {
      await cluster.kubectl('get', '--raw', `/api/v1/nodes/${cluster.nodeName}/proxy/stats/summary`);
    }),
    repeat('exec', 2_000, async () => {
      const said = await cluster.kubectl('exec', loadPod, '--', 'echo', 'here');
      if (said.trim() !== 'here') throw new Error(`it said ${said}`);
    }),
    repeat('the agent itself', 1_000, () => askAgent(cluster, byToken, token)),
    last('a watch for all the time', async () => {
      for (let begun = systemClock.monotonicMs(); ; ) {
        const events = byCertificate.watch(configMaps, { namespace, resourceVersion: '0', signal });
        for await (const event of events) {
          if (event.type !== 'BOOKMARK') counts['events'] = (counts['events'] ?? 0) + 1;
        }
        // The server ends a watch after half an hour or more, and that is fine.
        if (systemClock.monotonicMs() - begun < minWatchMs) return;
        begun = systemClock.monotonicMs();
      }
    }),
    last('a log for all the time', () => follow(cluster, ['logs', '-f', loadPod], signal)),
    last('an exec for all the time', () =>
      follow(cluster, ['exec', loadPod, '--', 'sh', '-c', 'while sleep 1; do date; done'], signal),
    ),
  ];
  return {
    counts,
    failures,
    async stop() {
      stopping.abort();
      await Promise.all(work);
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}

/** Reads the file again when it has changed, as every client with a kubeconfig may. */
async function clientOf(cluster: Cluster, by: 'certificate' | 'token'): Promise<RestClient> {
  const read = async () => {
    const { server, ca, cert, key, token } = await loadKubeconfig(cluster.kubeconfig);
    return { server, credentials: by === 'token' ? { ca, token } : { ca, cert, key } };
  };
  let { server, credentials } = await read();
  const client = createRestClient({ server, credentials: () => credentials });
  const refresh = async (): Promise<void> => {
    ({ credentials } = await read());
  };
  return new Proxy(client, {
    get: (target, name: keyof RestClient) =>
      name === 'create' || name === 'delete' || name === 'list'
        ? async (...args: never[]) => {
            await refresh();
            return (target[name] as (...given: never[]) => unknown)(...args);
          }
        : target[name],
  });
}

async function writeOne(client: RestClient, name: string): Promise<void> {
  const object: ConfigMap = { metadata: { name, namespace }, data: { key: 'value' } };
  await client.create(configMaps, object);
  await client.delete(configMaps, { namespace, name });
}

/** A connection to port 10250 that believes the authority for serving certificates only. */
async function askAgent(cluster: Cluster, client: RestClient, token: string): Promise<void> {
  const { namespace, name, servingAuthorities } = clusterInfo;
  const { items } = await client.list(configMaps, { namespace, fieldSelector: `metadata.name=${name}` });
  const ca = items[0]?.data?.[servingAuthorities];
  const socket = connect({ host: cluster.nodeIp, port: 10250, ca, servername: cluster.nodeName });
  try {
    await once(socket, 'secureConnect');
    const host = cluster.nodeName;
    socket.write(
      `GET /healthz HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\nconnection: close\r\n\r\n`,
    );
    let answer = '';
    for await (const chunk of socket as AsyncIterable<Buffer>) answer += chunk.toString();
    if (!answer.startsWith('HTTP/1.1 200')) throw new Error(answer.slice(0, 200));
  } finally {
    socket.destroy();
  }
}

/** A kubectl that is to run until the end, and to say something at least every half a minute. */
async function follow(cluster: Cluster, args: readonly string[], signal: AbortSignal): Promise<void> {
  const child = spawn('kubectl', ['--kubeconfig', cluster.kubeconfig, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  let isSilent = false;
  let saidAt = systemClock.monotonicMs();
  child.stdout.on('data', () => {
    saidAt = systemClock.monotonicMs();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const check = setInterval(() => {
    isSilent = systemClock.monotonicMs() - saidAt > 30_000;
    if (isSilent) child.kill();
  }, 1_000);
  signal.addEventListener('abort', () => child.kill(), { once: true });
  await once(child, 'exit');
  clearInterval(check);
  if (!signal.aborted) throw new Error(isSilent ? 'nothing for half a minute' : errors);
}

/** What `/metrics` of the agent counts. */
export async function agentFigure(cluster: Cluster, name: string): Promise<number> {
  const { stdout } = await runChecked(
    'kubectl',
    ['--kubeconfig', cluster.kubeconfig, 'get', '--raw', `/api/v1/nodes/${cluster.nodeName}/proxy/metrics`],
    { timeoutMs: 120_000 },
  );
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(stdout)?.[1] ?? Number.NaN);
}

export const fileOf = (cluster: Cluster, path: string): string =>
  readFileSync(`${cluster.dir}/${path}`, 'utf8');
