/**
 * 2. AlwaysPullImages: nobody uses an image of a node because somebody with the right to pull it did so before. Off unless
 * `--enable-admission-plugins` names it. What runs already keeps its policy: it cannot be changed any more.
 */
import type { Container, EphemeralContainer, Pod } from '../../../src/api/types.js';
import type { Admission, AdmissionRequest } from '../../registry/admission.js';
import { refused } from './refusal.js';

const fields = ['initContainers', 'containers', 'ephemeralContainers'] as const;

/** Whether its image is not one that the container of that name has already. */
function isNew({ oldObject }: AdmissionRequest, { name, image }: Container | EphemeralContainer): boolean {
  const { spec } = (oldObject ?? {}) as Partial<Pod>;
  return !fields.some((field) => spec?.[field]?.some((old) => old.name === name && old.image === image));
}

export const createAlwaysPullImages = (): Admission => ({
  concerns: ({ type }, operation, subresource) =>
    type.group === '' &&
    type.resource === 'pods' &&
    (operation === 'CREATE' || operation === 'UPDATE') &&
    (subresource === '' || subresource === 'ephemeralcontainers'),
  async mutate(request) {
    const pod = request.object as Pod;
    const wants = (one: Container | EphemeralContainer): boolean =>
      one.imagePullPolicy !== 'Always' && isNew(request, one);
    if (!pod.spec || !fields.some((field) => pod.spec?.[field]?.some(wants))) return pod;
    const always = <T extends Container | EphemeralContainer>(list: T[] | undefined): T[] | undefined =>
      list?.map((one) => (wants(one) ? { ...one, imagePullPolicy: 'Always' } : one));
    const { containers, initContainers, ephemeralContainers } = pod.spec;
    const spec = {
      ...pod.spec,
      containers: always(containers) ?? [],
      ...(initContainers && { initContainers: always(initContainers) }),
      ...(ephemeralContainers && { ephemeralContainers: always(ephemeralContainers) }),
    };
    return { ...pod, spec } as Pod;
  },
  /** Webhooks come in between. */
  async validate(request) {
    const { spec } = request.object as Pod;
    for (const field of fields)
      spec?.[field]?.forEach((one, index) => {
        if (one.imagePullPolicy === 'Always' || !isNew(request, one)) return;
        const path = `spec.${field}[${index}].imagePullPolicy`;
        const value = JSON.stringify(one.imagePullPolicy ?? '');
        throw refused(request, `${path}: Unsupported value: ${value}: supported values: "Always"`);
      });
  },
});
