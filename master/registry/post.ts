/**
 * 2. POST to a subresource: actions on an object that are not plain writes. `binding` gives a pod its node, `eviction`
 * (`eviction.ts`) takes it away.
 */
import { ApiError, conflict, invalid, type Status } from '../../src/api/errors.js';
import { type ObjectRef, withCondition } from '../../src/api/meta.js';
import { isMap } from '../../src/api/patch/json.js';
import type { Binding, KubeObject, Pod } from '../../src/api/types.js';
import { toTime } from '../../src/host/clock.js';
import type { Resource } from '../resources/resource.js';
import { admitOther } from './admit.js';
import { readAs } from './body.js';
import { type Environment, resourceKey } from './environment.js';
import { evict } from './eviction.js';
import { modify } from './modify.js';
import type { RequestContext } from './registry.js';
import { notSupported, required } from './validation/field.js';

const bindingType = { group: '', version: 'v1', kind: 'Binding' };

/** Answers what goes into the body of the 201. Rejects with `NotFound` for an action the kind does not have. */
export async function post(
  env: Environment,
  resource: Resource,
  ref: ObjectRef,
  subresource: string,
  given: unknown,
  context: RequestContext,
): Promise<unknown> {
  if (!resource.subresources.includes(subresource)) throw noSuchAction();
  const body = await admittedBody(env, resource, ref, subresource, given, context);
  const action = env.actions.get(`${resourceKey(resource.type)}/${subresource}`);
  if (action) return action({ resource, ref, body, context });
  if (subresource === 'binding') {
    return bind(env, resource as Resource<Pod>, ref, readAs(bindingType, body, context) as Binding, context);
  }
  if (subresource === 'eviction') return evict(env, resource as Resource<Pod>, ref, body, context);
  throw noSuchAction();
}

const noSuchAction = (): ApiError =>
  new ApiError('NotFound', 'the server could not find the requested resource');

/** What is no object is left for whoever reads it to refuse. */
async function admittedBody(
  env: Environment,
  resource: Resource,
  ref: ObjectRef,
  subresource: string,
  given: unknown,
  context: RequestContext,
): Promise<unknown> {
  if (!env.admission.concerns(resource, 'CREATE', subresource) || !isMap(given)) return given;
  const object = { metadata: {}, ...given } as KubeObject;
  return admitOther(env, { operation: 'CREATE', resource, subresource, ref, object, context });
}

async function bind(
  env: Environment,
  resource: Resource<Pod>,
  ref: ObjectRef,
  binding: Binding,
  context: RequestContext,
): Promise<Status> {
  checkBinding(ref, binding);
  const { uid, resourceVersion, annotations, labels } = binding.metadata;
  await modify(env, resource, ref, context, {
    produce: (pod) => ({
      ...bound(ref, pod, binding.target.name ?? '', toTime(env.clock.now())),
      metadata: {
        ...pod.metadata,
        uid: uid || pod.metadata.uid,
        resourceVersion: resourceVersion || pod.metadata.resourceVersion,
        annotations: annotations ? { ...pod.metadata.annotations, ...annotations } : pod.metadata.annotations,
        labels: labels ? { ...pod.metadata.labels, ...labels } : pod.metadata.labels,
      },
    }),
    prepare: (pod) => pod,
    validate: () => [],
    keepsGeneration: true,
  });
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}

function checkBinding(ref: ObjectRef, { metadata, target }: Binding): void {
  const name = metadata.name ?? '';
  if (name && name !== ref.name) {
    throw new ApiError('BadRequest', `name in URL does not match name in Binding object`);
  }
  const errors = [
    ...(target?.kind && target.kind !== 'Node'
      ? [notSupported('target.kind', target.kind, ['Node', '<empty>'])]
      : []),
    ...(target?.name ? [] : [required('target.name')]),
  ];
  if (errors.length > 0) throw invalid({ group: '', kind: 'Binding', name: ref.name }, errors);
}

/** The pod on its node. Rejects with `Conflict` for one that has a node or is on its way out. */
function bound(ref: ObjectRef, pod: Pod, node: string, now: string): Pod {
  const subject = { group: '', resource: 'pods/binding', name: ref.name };
  if (pod.metadata.deletionTimestamp) {
    throw conflict(subject, `pod ${ref.name} is being deleted, cannot be assigned to a host`);
  }
  if (pod.spec?.nodeName) {
    throw conflict(
      subject,
      `pod ${ref.name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`,
    );
  }
  if (pod.spec?.schedulingGates?.length)
    throw conflict(subject, `pod ${ref.name} has non-empty .spec.schedulingGates`);
  const spec = { ...(pod.spec ?? { containers: [] }), nodeName: node };
  const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: now };
  return {
    ...pod,
    spec,
    status: { ...pod.status, conditions: withCondition(pod.status?.conditions, scheduled) },
  };
}
