/** 2. DefaultIngressClass: a new Ingress that names no class, in neither way, gets the default one. */
import { ingressClasses, ingresses } from '../../../src/api/kinds.js';
import type { Ingress } from '../../../src/api/types.js';
import type { Admission } from '../../registry/admission.js';
import { defaultClass, ingressClassDefault } from '../../registry/kinds/defaultclass.js';
import type { PluginDeps } from '../plugin.js';
import { isOf } from './lookup.js';

const oldClassAnnotation = 'kubernetes.io/ingress.class';

export function createDefaultIngressClass({ informers }: PluginDeps): Admission {
  const classes = informers.get(ingressClasses);
  return {
    concerns: (resource, operation, subresource) =>
      operation === 'CREATE' && subresource === '' && isOf(resource, ingresses),
    async mutate({ object }) {
      const ingress = object as Ingress;
      const { spec, metadata } = ingress;
      if (spec?.ingressClassName !== undefined || metadata.annotations?.[oldClassAnnotation]) return ingress;
      const ingressClassName = defaultClass(classes.list(), ingressClassDefault)?.metadata.name;
      return ingressClassName ? { ...ingress, spec: { ...spec, ingressClassName } } : ingress;
    },
    validate: async () => undefined,
  };
}
