/**
 * Which authorities this node trusts, while one follows another: what the ConfigMap `cluster-info` in kube-public says, read
 * from a server that the present authorities vouch for. The node says in an annotation what it trusts and who issued its own
 * certificates: the master goes on with a rotation when all nodes have come along.
 *
 *   ConfigMap changed -> ca.crt, `credentials.ca` -> new connections, `onChange` -> Node annotated
 *
 * It also says who signs the serving certificates of agents; this node trusts nobody for that.
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
  /** `credentials.ca` or `credentials.servingCa` is another. */
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
    const data = source.get(clusterInfo)?.data ?? {};
    const told = (key: string): string => pemBlocks(data[key] ?? '', 'CERTIFICATE').join('');
    const ca = told(clusterInfo.authorities);
    if (ca === '') return;
    // A master of before has one authority for both.
    const servingCa = told(clusterInfo.servingAuthorities) || ca;
    if (ca === credentials.ca && servingCa === credentials.servingCa) return;
    if (ca !== credentials.ca) {
      const files = await openCredentialFiles(options.pkiDir);
      await files.writeCa(ca);
      log.info({ authorities: hashesOf(ca) }, 'the authorities of the cluster changed');
    }
    Object.assign(credentials, { ca, servingCa });
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
      async reconcile(_key, { signal }) {
        await follow();
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

/** Hash of the authority that issued the client certificate; empty while another one than signs now issued that of the server. */
function issuerOf({ ca, client, serving, servingCa }: AgentCredentials): string {
  const issuer = pemBlocks(ca, 'CERTIFICATE').find(
    (authority) => isIssuedBy(client.cert, authority) && isIssuedBy(serving.cert, servingCa ?? authority),
  );
  return issuer === undefined ? '' : (hashesOf(issuer)[0] ?? '');
}
