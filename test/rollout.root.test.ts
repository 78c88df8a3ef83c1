/** A rolling update under load through the NodePort loses no request; undo brings the old template back. */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { startCluster } from './cluster.js';
import { eventually } from './wait.js';

const example = fileURLToPath(new URL('../../examples/nginx.yaml', import.meta.url));

/** Fetches the page over new connections until stopped; resolves with the counts. */
function startLoad(url: string): { stop(): Promise<{ answered: number; failures: string[] }> } {
  const failures: string[] = [];
  let answered = 0;
  let isRunning = true;
  const worker = async (): Promise<void> => {
    while (isRunning) {
      try {
        const response = await fetch(url, {
          headers: { connection: 'close' },
          signal: AbortSignal.timeout(20_000),
        });
        await response.text();
        if (response.ok) answered++;
        else failures.push(String(response.status));
      } catch (error) {
        failures.push(error instanceof Error ? `${error.message}: ${String(error.cause)}` : String(error));
      }
    }
  };
  const workers = Promise.all([worker(), worker(), worker(), worker()]);
  return {
    stop: async () => {
      isRunning = false;
      await workers;
      return { answered, failures };
    },
  };
}

t.test('rolling update under load', { timeout: 600_000 }, async (t) => {
  const cluster = await startCluster({ name: 'rollout' });
  t.teardown(() => cluster.stop());
  const url = `http://${cluster.nodeIp}:30080/`;
  await cluster.kubectl('apply', '-f', example);
  await cluster.kubectl('rollout', 'status', 'deployment/nginx', '--timeout=60s');
  await eventually('the page', 60, async () => (await fetch(url)).ok);

  const load = startLoad(url);
  for (const value of ['one', 'two']) {
    await cluster.kubectl(
      'patch',
      'deployment',
      'nginx',
      '-p',
      JSON.stringify({ spec: { template: { metadata: { annotations: { value } } } } }),
    );
    await cluster.kubectl('rollout', 'status', 'deployment/nginx', '--timeout=90s');
  }
  const { answered, failures } = await load.stop();
  t.same(failures, [], 'no request failed');
  t.ok(answered > 100, `${answered} requests were answered`);

  t.match(await cluster.kubectl('rollout', 'history', 'deployment/nginx'), /1\s.*\n2\s.*\n3\s/);
  await cluster.kubectl('rollout', 'undo', 'deployment/nginx', '--to-revision=2');
  await cluster.kubectl('rollout', 'status', 'deployment/nginx', '--timeout=90s');
  t.equal(
    await cluster.kubectl(
      'get',
      'deployment',
      'nginx',
      '-o',
      'jsonpath={.spec.template.metadata.annotations.value}',
    ),
    'one',
  );
  t.match(
    await cluster.kubectl('get', 'replicasets', '-o', 'jsonpath={.items[*].spec.replicas}'),
    /^(0|2)( (0|2)){2}$/,
  );
});
