/** Deploys `examples/nginx.yaml` and fetches its page: the proof at the end of `wherry up`. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { isReason } from '../../api/errors.js';
import { deployments, type ResourceType, services } from '../../api/kinds.js';
import type { KubeObject } from '../../api/types.js';
import type { Client } from '../../client/client.js';
import { systemClock } from '../../host/clock.js';
import { runChecked } from '../../host/exec.js';
import { waitFor } from './wait.js';

const packageFile = (name: string): string => fileURLToPath(new URL(`../../../../${name}`, import.meta.url));
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
const nodePort = 30080;

export async function deployExample(client: Client, address: string): Promise<{ url: string; body: string }> {
  await runChecked(process.execPath, [packageFile('scripts/images.mjs'), 'nginx'], { timeoutMs: 600_000 });
  for (const document of parseAllDocuments(readFileSync(packageFile('examples/nginx.yaml'), 'utf8'))) {
    await apply(client, document.toJS() as KubeObject);
  }
  await waitFor(
    client,
    deployments,
    { namespace: 'default', fieldSelector: 'metadata.name=nginx' },
    ({ spec, status, metadata }) =>
      (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
      (status?.availableReplicas ?? 0) >= (spec?.replicas ?? 1),
    { timeoutMs: 180_000, what: 'the nginx pods', hint: 'kubectl describe pods' },
  );
  const url = `http://${address.includes(':') ? `[${address}]` : address}:${nodePort}`;
  return { url, body: await fetchPage(url) };
}

/** Creates, or merges into what is there; keeps kubectl's annotation, so that `kubectl apply` can take over. */
async function apply(client: Client, object: KubeObject): Promise<void> {
  const type = ([deployments, services] as readonly ResourceType[]).find(
    (candidate) => candidate.kind === object.kind,
  );
  if (!type) throw new Error(`the example holds a ${object.kind}, which this command does not deploy`);
  const ref = { namespace: 'default', name: object.metadata.name ?? '' };
  const applied = { ...object, metadata: { annotations: {}, ...object.metadata, namespace: ref.namespace } };
  const annotations = {
    ...object.metadata.annotations,
    [lastApplied]: `${JSON.stringify(sorted(applied))}\n`,
  };
  const wanted = { ...applied, metadata: { ...applied.metadata, annotations } };
  try {
    await client.get(type, ref);
    await client.patch(type, ref, { type: 'strategic', body: wanted });
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error;
    await client.create(type, wanted);
  }
}

/** Keys in order, as kubectl writes its annotation. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}

/** The rules reach the kernel a moment after the pods are ready; ten seconds are plenty. */
async function fetchPage(url: string): Promise<string> {
  const deadline = systemClock.monotonicMs() + 10_000;
  for (;;) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
      if (response.ok) return await response.text();
      throw new Error(`${url} answered ${response.status}`);
    } catch (error) {
      if (systemClock.monotonicMs() > deadline) throw error;
      await systemClock.sleep(100, new AbortController().signal);
    }
  }
}
