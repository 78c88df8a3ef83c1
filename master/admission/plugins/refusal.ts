/** 2. How a plugin says no, in the words of kube-apiserver. Shared by the plugins. */
import { type ApiError, forbidden } from '../../../src/api/errors.js';
import type { AdmissionRequest } from '../../registry/admission.js';

/** `pods "web" is forbidden: <why>`; an object whose name is still to be made is called by what it will begin with. */
export function refused({ resource, name, object }: AdmissionRequest, why: string): ApiError {
  const { group, resource: plural } = resource.type;
  const called = name || object?.metadata.name || object?.metadata.generateName || 'Unknown';
  return forbidden({ group, resource: plural, name: called }, why);
}
