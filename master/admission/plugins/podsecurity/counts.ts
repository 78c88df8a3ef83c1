/** 2. How often pods were judged, and how: the metrics of Kubernetes' PodSecurity, by their names. */
import { Counter, type Registry } from 'prom-client';
import type { AdmissionRequest } from '../../../registry/admission.js';
import { type LevelVersion, levelText, type Mode } from './levels.js';

export interface Counts {
  evaluation(request: AdmissionRequest, mode: Mode, asked: LevelVersion, isAllowed: boolean): void;
  exemption(request: AdmissionRequest): void;
}

const requestLabels = ['request_operation', 'resource', 'subresource'] as const;

const labelsOf = ({ operation, resource, subresource }: AdmissionRequest) => ({
  request_operation: operation.toLowerCase(),
  resource: resource.type.resource === 'pods' ? 'pod' : 'controller',
  subresource,
});

/** Counts nothing where nobody shows it. */
export function createCounts(registry: Registry | undefined): Counts {
  if (!registry) return { evaluation: () => undefined, exemption: () => undefined };
  const registers = [registry];
  const evaluations = new Counter({
    name: 'pod_security_evaluations_total',
    help: 'Number of policy evaluations that occurred, not counting ignored or exempt requests.',
    labelNames: ['decision', 'mode', 'policy_level', 'policy_version', ...requestLabels],
    registers,
  });
  const exemptions = new Counter({
    name: 'pod_security_exemptions_total',
    help: 'Number of exempt requests, not counting ignored or out of scope requests.',
    labelNames: requestLabels,
    registers,
  });
  return {
    evaluation(request, mode, asked, isAllowed) {
      const [policy_level = '', policy_version = ''] = levelText(asked).split(':');
      const decision = isAllowed ? 'allow' : 'deny';
      evaluations.inc({ ...labelsOf(request), decision, mode, policy_level, policy_version });
    },
    exemption: (request) => exemptions.inc(labelsOf(request)),
  };
}
