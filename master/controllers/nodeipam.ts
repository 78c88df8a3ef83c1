/**
 * 5. Gives each node its share of the cluster's pod addresses: `spec.podCIDR`, which never changes once set. The nodes
 * themselves are the record: after a restart the allocations are read back from them before the first new one is made.
 */
import { isReason } from '../../src/api/errors.js';
import { nodes } from '../../src/api/kinds.js';
import type { Node } from '../../src/api/types.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import { type ReconcileResult, TerminalError } from '../../src/client/reconciler.js';
import { Bitmap } from '../../src/net/bitmap.js';
import {
  blockAt,
  type Cidr,
  countOfBlocks,
  formatCidr,
  indexOfBlock,
  mustParseCidr,
  parseCidr,
} from '../../src/net/cidr.js';
import type { ControllerContext } from './context.js';

/** Which blocks of `/prefix` the nodes hold; blocks outside the cluster's range are the user's own business. */
export function heldBlocks(cluster: Cidr, prefix: number, present: readonly Node[]): Map<string, number> {
  const held = new Map<string, number>();
  for (const node of present) {
    const block = parseCidr(node.spec?.podCIDR ?? '');
    const index = block?.prefix === prefix ? indexOfBlock(cluster, block) : undefined;
    if (index !== undefined) held.set(node.metadata.name ?? '', index);
  }
  return held;
}

export interface NodeIpamOptions {
  clusterCidr: string;
  /** Prefix length of a node's block; 24 by default. */
  nodeCidrMaskSize: number;
}

export function createNodeIpamController(context: ControllerContext, options: NodeIpamOptions): Controller {
  const { client, clock, log, informers } = context;
  const recorder = context.recorder('cidrAllocator');
  const cache = informers.get(nodes);
  const cluster = mustParseCidr(options.clusterCidr);
  const prefix = options.nodeCidrMaskSize;
  const bitmap = new Bitmap(countOfBlocks(cluster, prefix));
  /** Index by node name: what the bitmap has taken, and for whom. */
  const held = new Map<string, number>();

  /** Takes over what the cache says, which is complete before the first call. */
  function adopt(present: readonly Node[]): void {
    for (const [name, index] of heldBlocks(cluster, prefix, present)) {
      if (held.get(name) === index) continue;
      bitmap.allocateSpecific(index);
      held.set(name, index);
    }
  }

  function release(name: string): void {
    const index = held.get(name);
    if (index === undefined) return;
    held.delete(name);
    if (![...held.values()].includes(index)) bitmap.release(index);
  }

  async function reconcile(name: string): Promise<ReconcileResult> {
    const node = cache.getByKey(name);
    if (!node) release(name);
    if (!node || node.spec?.podCIDR || node.metadata.deletionTimestamp) return undefined;
    adopt(cache.list());
    const index = held.get(name) ?? bitmap.allocate();
    if (index === undefined) {
      recorder.event(node, 'Warning', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`);
      throw new TerminalError(`no block of /${prefix} is left in ${options.clusterCidr}`);
    }
    held.set(name, index);
    const podCIDR = formatCidr(blockAt(cluster, prefix, index));
    const { uid, resourceVersion } = node.metadata;
    const body = { metadata: { uid, resourceVersion }, spec: { podCIDR, podCIDRs: [podCIDR] } };
    try {
      await client.patch(nodes, { name }, { type: 'merge', body });
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
      release(name);
    }
    return undefined;
  }

  return createController({
    name: 'nodeipam',
    reconciler: { reconcile },
    // Only what comes, goes or has no block yet; heartbeats are not our concern. A freed block may serve who waits.
    sources: [
      on(cache, ({ key, current }) => {
        if (current) return current.spec?.podCIDR ? [] : [key];
        return [
          key,
          ...cache.list().flatMap((node) => (node.spec?.podCIDR ? [] : [node.metadata.name ?? ''])),
        ];
      }),
    ],
    // One at a time: the bitmap is shared by all passes.
    workers: 1,
    clock,
    log,
  });
}
