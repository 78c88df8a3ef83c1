/**
 * Which authorities this node trusts, while one follows another: what the ConfigMap `cluster-info` in kube-public says, read
 * from a server that the present authorities vouch for. The node says in an annotation what it trusts and who issued its own
 * certificates: the master goes on with a rotation when all nodes have come along.
 *
 *   ConfigMap changed -> ca.crt, `credentials.ca` -> new connections, `onChange` -> Node annotated
 */
import { isReason } from '../../src/api/errors.js';
import { configMaps, nodes } from '../../src/api/kinds.js';
import type { Client } from '../../src/client/client.js';
import { authoritiesAnnotation, clusterInfo, issuerAnnotation } from '../../src/client/clusterinfo.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import { createInformer } from '../../src/client/informer.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { isIssuedBy, pemBlocks } from '../../src/host/pem.js';
import type { AgentCredentials } from './bootstrap.js';
import { hashesOf, openCredentialFiles } from './bootstrap-files.js';

const untilRegisteredMs = 2_000;

export interface TrustOptions {
  credentials: AgentCredentials;
  nodeName: string;
  pkiDir: string;
  client: Pick<Client, 'list' | 'watch' | 'patch'>;
  /** `credentials.ca` is another. */
  onChange(): void;
  clock: Clock;
  log: Logger;
}

/** `enqueue('node')` after a certificate was renewed. */
export function createTrust(options: TrustOptions): Controller {
  const { credentials, nodeName, client, clock, log } = options;
  const source = createInformer({
    ...{ client, clock, log, type: configMaps },
    namespace: clusterInfo.namespace,
    fieldSelector: `metadata.name=${clusterInfo.name}`,
  });
  let told = '';

  async function follow(): Promise<void> {
    const wanted = source.get(clusterInfo)?.data?.[clusterInfo.authorities] ?? '';
    const ca = pemBlocks(wanted, 'CERTIFICATE').join('');
    if (ca === '' || ca === credentials.ca) return;
    const files = await openCredentialFiles(options.pkiDir);
    await files.writeCa(ca);
    credentials.ca = ca;
    log.info({ authorities: hashesOf(ca) }, 'the authorities of the cluster changed');
    options.onChange();
  }

  async function tell(signal: AbortSignal): Promise<void> {
    const annotations = {
      [authoritiesAnnotation]: hashesOf(credentials.ca).join(','),
      [issuerAnnotation]: issuerOf(credentials),
    };
    const body = { metadata: { annotations } };
    if (told === JSON.stringify(body)) return;
    await client.patch(nodes, { name: nodeName }, { type: 'merge', body }, { signal });
    told = JSON.stringify(body);
  }

  const controller = createController({
    name: 'authorities',
    reconciler: {
      async reconcile(key, { signal }) {
        if (key !== 'node') await follow();
        try {
          await tell(signal);
        } catch (error) {
          // It is being registered.
          if (isReason(error, 'NotFound')) return { requeueAfterMs: untilRegisteredMs };
          throw error;
        }
        return undefined;
      },
    },
    sources: [on(source, () => [clusterInfo.name])],
    clock,
    log,
    backoff: { minMs: 1_000, maxMs: 60_000, jitter: 0.5 },
  });
  return {
    ...controller,
    async start(signal) {
      await source.start(signal);
      await controller.start(signal);
      controller.enqueue('node');
    },
    async stop() {
      await controller.stop();
      await source.stop();
    },
  };
}

/** Hash of the authority that issued both certificates; empty while they are of two. */
function issuerOf({ ca, client, serving }: AgentCredentials): string {
  const issuer = pemBlocks(ca, 'CERTIFICATE').find(
    (authority) => isIssuedBy(client.cert, authority) && isIssuedBy(serving.cert, authority),
  );
  return issuer === undefined ? '' : (hashesOf(issuer)[0] ?? '');
}
