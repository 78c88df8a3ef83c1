/**
 * Finds the container that `logs` or `exec` mean, among the pods of this node.
 */
import { badRequest, notFound } from '../../src/api/errors.js';
import type { Pod } from '../../src/api/types.js';
import { podUid } from './names.js';
import { attemptsOf, specOf } from './observed.js';
import type { PodRecord } from './record.js';

export interface LookupTarget {
  namespace: string;
  pod: string;
  container: string;
}

/**
 * The runtime's id of the newest run of a container that was started, or of the run before it. Undefined when there
 * is none; throws an `ApiError` that says what a container waits for, as kubelet words it.
 */
export function findContainer(
  target: LookupTarget,
  options: { previous: boolean },
  find: {
    podOf(ref: { namespace: string; name: string }): Pod | undefined;
    recordOf(uid: string): PodRecord | undefined;
  },
): string | undefined {
  const pod = find.podOf({ namespace: target.namespace, name: target.pod });
  if (!pod) throw notFound({ group: '', resource: 'pods', name: target.pod });
  if (!specOf(pod, target.container)) return undefined;
  const record = find.recordOf(podUid(pod));
  const started = record
    ? attemptsOf(record.observed(), target.container).filter((state) => state.startedAt !== undefined)
    : [];
  const found = started[options.previous ? 1 : 0];
  if (found || options.previous) return found?.id;
  const waiting = [
    ...(record?.status?.initContainerStatuses ?? []),
    ...(record?.status?.containerStatuses ?? []),
    ...(record?.status?.ephemeralContainerStatuses ?? []),
  ].find(({ name }) => name === target.container)?.state?.waiting;
  throw badRequest(
    `container ${JSON.stringify(target.container)} in pod ${JSON.stringify(target.pod)} is waiting to start: ${waiting?.message || waiting?.reason || 'ContainerCreating'}`,
  );
}
