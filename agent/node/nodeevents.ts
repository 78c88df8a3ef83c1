/**
 * What `kubectl describe node` shows of a node's life, in kubelet's words. Pure. Called by `node.ts` after a status was
 * written, and by whoever has something to say about the node.
 */
import { findCondition } from '../../src/api/meta.js';
import type { Node, NodeCondition, NodeStatus } from '../../src/api/types.js';

export interface NodeEvent {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

/** The node as events name it: kubelet gives the name for a uid too, and kubectl looks for that. */
export const nodeReference = (nodeName: string): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: nodeName, uid: nodeName },
});

const words: Record<string, { True: string; False: string }> = {
  Ready: { True: 'NodeReady', False: 'NodeNotReady' },
  MemoryPressure: { True: 'NodeHasInsufficientMemory', False: 'NodeHasSufficientMemory' },
  DiskPressure: { True: 'NodeHasDiskPressure', False: 'NodeHasNoDiskPressure' },
  PIDPressure: { True: 'NodeHasInsufficientPID', False: 'NodeHasSufficientPID' },
};

/** What is worth telling of the step from one status to the next. */
export function nodeEvents(nodeName: string, before: NodeStatus, after: NodeStatus): NodeEvent[] {
  const events = conditionEvents(before.conditions ?? [], after.conditions ?? []);
  const [old, bootId] = [before.nodeInfo?.bootID, after.nodeInfo?.bootID];
  return [
    ...(old && bootId && old !== bootId
      ? [
          {
            type: 'Warning' as const,
            reason: 'Rebooted',
            message: `Node ${nodeName} has been rebooted, boot id: ${bootId}`,
          },
        ]
      : []),
    ...events.map((reason) => ({
      type: 'Normal' as const,
      reason,
      message: `Node ${nodeName} status is now: ${reason}`,
    })),
  ];
}

/** A reason for every condition of ours that is not what it was. */
function conditionEvents(before: readonly NodeCondition[], after: readonly NodeCondition[]): string[] {
  return after.flatMap(({ type, status }) => {
    const reasons = words[type];
    if (!reasons || findCondition(before, type)?.status === status) return [];
    return status === 'True' || status === 'False' ? [reasons[status]] : [];
  });
}
