/**
 * Holds all pods together to what is allocatable: written to the root of the pods' cgroups once, and tried again every
 * minute when the kernel refuses. Wired by the composition root; tells it on the Node as kubelet does.
 */

import { type Controller, createController } from '../../src/client/controller.js';
import type { EventRecorder } from '../../src/client/events.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import type { LinuxResources } from '../runtime/runtime.js';
import { nodeReference } from './nodeevents.js';

export interface EnforcementOptions {
  nodeName: string;
  limits: LinuxResources;
  limitAll(limits: LinuxResources): Promise<void>;
  recorder: EventRecorder;
  clock: Clock;
  log: Logger;
}

const retryMs = 60_000;

export function createEnforcement(options: EnforcementOptions): Controller {
  const { limits, recorder, clock, log } = options;
  const node = nodeReference(options.nodeName);
  const controller = createController({
    name: 'node-allocatable',
    sources: [],
    clock,
    log,
    reconciler: {
      async reconcile(_key, context) {
        try {
          await options.limitAll(limits);
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          recorder.event(node, 'Warning', 'FailedNodeAllocatableEnforcement', message);
          context.log.warn({ err: error, limits }, 'the pods could not be held to what is allocatable');
          return { requeueAfterMs: retryMs };
        }
        recorder.event(
          node,
          'Normal',
          'NodeAllocatableEnforced',
          'Updated Node Allocatable limit across pods',
        );
        return undefined;
      },
    },
  });
  return {
    ...controller,
    async start(signal) {
      await controller.start(signal);
      controller.enqueue('pods');
    },
  };
}
