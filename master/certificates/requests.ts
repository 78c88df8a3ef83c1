/**
 * What an administrator asks of the master's certificates, and how far it is: the ConfigMap `wherry-certificates` in
 * kube-system, written by `wherry certs`, answered by `rotation.ts`. Deciding is pure.
 *
 *   data.renew                       <id> all|<name>,...
 *   data.rotate-ca                   <id> [force] [keep-old]
 *   data.rotate-service-account-key  <id>
 *   data.state                       what the master says: JSON of `RotationState`
 */
import type { ConfigMap, Node } from '../../src/api/types.js';
import { authoritiesAnnotation, issuerAnnotation } from '../../src/client/clusterinfo.js';
import type { RotationPhase } from '../auth/authorities.js';

export const requestsRef = { namespace: 'kube-system', name: 'wherry-certificates' } as const;

export const requestKinds = ['renew', 'rotate-ca', 'rotate-service-account-key'] as const;
export type RequestKind = (typeof requestKinds)[number];

export interface WantedRequest {
  id: string;
  words: readonly string[];
}

/** Ids of requests that were begun, and when the present phase did; kept in `<data-dir>/master/pki/requests.json`. */
export interface Handled {
  ids: Partial<Record<RequestKind, string>>;
  /** ISO 8601. */
  phaseSince?: string;
}

export interface RotationState {
  phase: RotationPhase;
  handled: Handled['ids'];
  /** Why it does not go on. */
  waitingFor: string[];
}

export function wantedRequest(map: ConfigMap | undefined, kind: RequestKind): WantedRequest | undefined {
  const [id, ...words] = (map?.data?.[kind] ?? '').split(/\s+/).filter((word) => word !== '');
  return id === undefined ? undefined : { id, words };
}

/**
 * Time for what follows at its own pace: pods read their copy of the authorities from a volume that their agent renews once
 * a minute.
 */
const settleMs = 2 * 60_000;

export interface RotationFacts {
  phase: RotationPhase;
  request: WantedRequest | undefined;
  handled: Handled;
  nodes: readonly Node[];
  /** SHA-256 of the authority that signs, and of the one that will. */
  signing: string;
  next: string | undefined;
  now: Date;
}

export type RotationStep =
  | { do: 'nothing' }
  | { do: 'announce' | 'replace' | 'drop' }
  | { do: 'wait'; for: string[] };

/** Pure: the next step of a rotation. It goes on after a restart, whoever asked for it. */
export function planRotation(facts: RotationFacts): RotationStep {
  const { phase, request, handled, nodes } = facts;
  if (phase === 'steady')
    return request && request.id !== handled.ids['rotate-ca'] ? { do: 'announce' } : { do: 'nothing' };
  if (phase === 'replaced' && request?.words.includes('keep-old'))
    return { do: 'wait', for: ['the wish to drop the old authority'] };
  const late = request?.words.includes('force') ? [] : nodes.filter((node) => !hasFollowed(node, facts));
  const waitsFor = late.map(({ metadata }) => `node ${metadata.name}`);
  const begunMs = Date.parse(handled.phaseSince ?? '') || 0;
  // A clock that was set back must not make it wait for ever.
  const passedMs = Math.abs(facts.now.getTime() - begunMs);
  if (passedMs < settleMs) waitsFor.push(`${Math.ceil((settleMs - passedMs) / 1000)} s for pods to read it`);
  if (waitsFor.length > 0) return { do: 'wait', for: waitsFor };
  return { do: phase === 'announced' ? 'replace' : 'drop' };
}

function hasFollowed({ metadata }: Node, { phase, signing, next }: RotationFacts): boolean {
  const trusted = metadata.annotations?.[authoritiesAnnotation]?.split(',') ?? [];
  if (phase === 'announced') return next !== undefined && trusted.includes(next);
  return trusted.includes(signing) && metadata.annotations?.[issuerAnnotation] === signing;
}
