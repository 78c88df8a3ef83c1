/** 2. What the two halves of PodSecurity, pods and namespaces, have in common. */
import type { Client } from '../../../../src/client/client.js';
import type { Clock } from '../../../../src/host/clock.js';
import type { AdmissionRequest } from '../../../registry/admission.js';
import type { Resource } from '../../../resources/resource.js';
import type { createEvaluator } from './checks.js';
import type { Counts } from './counts.js';
import { labelPrefix } from './levels.js';
import type { Settings } from './settings.js';

export interface Parts {
  client: Client;
  clock: Clock;
  settings: Settings;
  evaluate: ReturnType<typeof createEvaluator>;
  counts: Counts;
}

/** `apps/deployments`, `/pods`. */
export const kindOf = ({ type }: Resource): string => `${type.group}/${type.resource}`;

/** Into the audit log. */
export const note = ({ context }: AdmissionRequest, key: string, value: string): void =>
  context.annotate?.(labelPrefix + key, value);
