/**
 * 2. The registry needs admission, and admission reads the registry: the registry is made with a slot, which admits
 * everything until somebody is put in.
 */
import { type Admission, admitAll } from '../registry/admission.js';

export interface AdmissionSlot extends Admission {
  use(admission: Admission): void;
}

export function createAdmissionSlot(): AdmissionSlot {
  let current = admitAll;
  return {
    use(admission) {
      current = admission;
    },
    concerns: (resource, operation, subresource) => current.concerns(resource, operation, subresource),
    mutate: (request) => current.mutate(request),
    validate: (request) => current.validate(request),
  };
}
