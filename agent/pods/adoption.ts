/**
 * Finding one's own pods again: what the runtime holds when the agent starts, or after its events broke off.
 *
 * Nothing is acted upon before everything was listed once, so a pod that runs is never started a second time. Health
 * that was reported before holds until a probe says otherwise, so a restart of the agent takes no pod out of service.
 */
import type { Pod } from '../../src/api/types.js';
import type { ContainerState, Runtime, SandboxState } from '../runtime/runtime.js';
import { uidOf } from './names.js';
import { isRunning } from './observed.js';
import type { PodRecord } from './record.js';

/** Adds a record for every pod the runtime has something of. Returns the uids found. */
export async function adopt(
  runtime: Runtime,
  records: Map<string, PodRecord>,
  makeRecord: (uid: string) => PodRecord,
): Promise<string[]> {
  const [sandboxes, containers] = await Promise.all([runtime.listSandboxes(), runtime.listContainers()]);
  const found = new Map<string, { sandboxes: SandboxState[]; containers: ContainerState[] }>();
  const of = (state: SandboxState | ContainerState) => {
    const entry = found.get(uidOf(state)) ?? { sandboxes: [], containers: [] };
    found.set(uidOf(state), entry);
    return entry;
  };
  for (const sandbox of sandboxes) of(sandbox).sandboxes.push(sandbox);
  for (const container of containers) of(container).containers.push(container);
  for (const [uid, states] of found) {
    if (records.has(uid)) continue;
    const record = makeRecord(uid);
    record.mirror(states.sandboxes, states.containers);
    record.isAdopted = record.isTaken = true;
    // The watches of what its volumes show ended with the life before.
    record.areVolumesStale = true;
    records.set(uid, record);
  }
  return [...found.keys()];
}

/** Takes the verdicts of probes from the last reported status, for the containers it was about. */
export function adoptHealth(pod: Pod, record: PodRecord): void {
  record.isAdopted = false;
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  for (const container of record.containers.values()) {
    if (!isRunning(container)) continue;
    const status = statuses.find(({ containerID }) => containerID?.endsWith(`://${container.id}`));
    if (!status) continue;
    record.health.set(container.id, { ready: status.ready, ...(status.started && { started: true }) });
  }
}
