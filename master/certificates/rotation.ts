/**
 * 5. Does what an administrator asks of the master's certificates (`requests.ts`): renews them, replaces the authority step by
 * step while nodes and pods come along, gives the tokens of service accounts another key.
 *
 * Only the master writes its keys. What was begun is remembered on disk before it is done, so that a request is done once,
 * and a rotation goes on after a restart.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isReason } from '../../src/api/errors.js';
import { configMaps, nodes } from '../../src/api/kinds.js';
import type { ConfigMap } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import type { Informers } from '../../src/client/informers.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import type { Clock } from '../../src/host/clock.js';
import { readIfExists, writeAtomic } from '../../src/host/files.js';
import type { Logger } from '../../src/host/log.js';
import { certificateHash } from '../../src/host/pem.js';
import { createKey } from '../../src/host/x509.js';
import { announce, dropOld, replace } from '../auth/authorities.js';
import { authorityPlaces, leafNames, pkiDirectoryOf } from '../auth/pki.js';
import type { LivePki } from './live.js';
import {
  type Handled,
  planRotation,
  type RequestKind,
  type RotationState,
  type RotationStep,
  requestsRef,
  type WantedRequest,
  wantedRequest,
} from './requests.js';

export interface RotationOptions {
  certificates: LivePki;
  /** Looks at the certificates now. */
  look(): Promise<void>;
  client: Client;
  informers: Informers;
  clock: Clock;
  log: Logger;
}

const waitMs = 2_000;

export function createRotation(options: RotationOptions): Controller {
  const { certificates, client, informers, clock, log } = options;
  const { directory, pki } = certificates;
  const places = Object.values(authorityPlaces(directory));
  const handledPath = join(pkiDirectoryOf(directory), 'requests.json');
  const maps = informers.get(configMaps, {
    namespace: requestsRef.namespace,
    fieldSelector: `metadata.name=${requestsRef.name}`,
  });
  const allNodes = informers.get(nodes);

  async function readHandled(): Promise<Handled> {
    const text = (await readIfExists(handledPath))?.toString();
    return text === undefined ? { ids: {} } : (JSON.parse(text) as Handled);
  }

  const writeHandled = (handled: Handled): Promise<void> =>
    writeAtomic(handledPath, JSON.stringify(handled), 0o600);

  /** The request, when it was not begun yet; from now on it is. */
  async function take(map: ConfigMap | undefined, kind: RequestKind): Promise<WantedRequest | undefined> {
    const request = wantedRequest(map, kind);
    const handled = await readHandled();
    if (!request || handled.ids[kind] === request.id) return undefined;
    await writeHandled({ ...handled, ids: { ...handled.ids, [kind]: request.id } });
    log.info({ kind, words: request.words }, 'asked for by an administrator');
    return request;
  }

  async function renew({ words: [names = 'all'] }: WantedRequest): Promise<void> {
    const wanted = names.split(',');
    for (const name of leafNames)
      if (names === 'all' || wanted.includes(name))
        await rm(join(pkiDirectoryOf(directory), `${name}.crt`), { force: true });
    await options.look();
  }

  /** The former key is there before the new one signs: no token is without its key for a moment. */
  async function rotateServiceAccountKey(): Promise<void> {
    const at = (name: string): string => join(pkiDirectoryOf(directory), name);
    const former = await readIfExists(at('sa.key'));
    const date = clock.now().toISOString().replace(/\D/g, '').slice(0, 14);
    if (former) await writeAtomic(at(`sa-old-${date}.key`), former, 0o600);
    await writeAtomic(at('sa.key'), await createKey(), 0o600);
  }

  async function step(map: ConfigMap | undefined): Promise<RotationStep> {
    const [, next] = pki.authorities.ca.trusted;
    const planned = planRotation({
      phase: pki.authorities.ca.phase,
      request: wantedRequest(map, 'rotate-ca'),
      handled: await readHandled(),
      nodes: allNodes.list(),
      signing: certificateHash(pki.authority.pair.cert),
      next: next === undefined ? undefined : certificateHash(next),
      now: clock.now(),
    });
    if (planned.do === 'nothing' || planned.do === 'wait') return planned;
    if (planned.do === 'announce') await take(map, 'rotate-ca');
    await writeHandled({ ...(await readHandled()), phaseSince: clock.now().toISOString() });
    for (const place of places) {
      if (planned.do === 'announce') await announce(place, clock.now());
      if (planned.do === 'replace') await replace(place);
      if (planned.do === 'drop') await dropOld(place);
    }
    log.info({ step: planned.do }, 'the authority of the cluster is being replaced');
    await options.look();
    return planned;
  }

  async function tell(map: ConfigMap, waitingFor: string[]): Promise<void> {
    const { ids } = await readHandled();
    const state: RotationState = { phase: pki.authorities.ca.phase, handled: ids, waitingFor };
    const text = JSON.stringify(state);
    if (map.data?.['state'] === text) return;
    const body = { data: { state: text } };
    await client.patch(configMaps, requestsRef, { type: 'merge', body }).catch(ignoreGone);
  }

  async function reconcile(): Promise<ReconcileResult> {
    const map = maps.get(requestsRef);
    const renewal = await take(map, 'renew');
    if (renewal) await renew(renewal);
    if (await take(map, 'rotate-service-account-key')) await rotateServiceAccountKey();
    const done = await step(map);
    if (map) await tell(map, done.do === 'wait' ? done.for : []);
    return pki.authorities.ca.phase === 'steady' ? undefined : { requeueAfterMs: waitMs };
  }

  const controller = createController({
    name: 'certificate-rotation',
    reconciler: { reconcile },
    sources: [on(maps, () => [requestsRef.name])],
    clock,
    log,
  });
  return {
    ...controller,
    async start(signal) {
      await controller.start(signal);
      controller.enqueue(requestsRef.name);
    },
  };
}

function ignoreGone(error: unknown): void {
  if (!isReason(error, 'NotFound')) throw error;
}
