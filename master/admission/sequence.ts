/** 2. Several admissions as one: each is asked for what concerns it, in order; what one changes the next one sees. */
import type { Admission } from '../registry/admission.js';

export function inSequence(parts: readonly Admission[]): Admission {
  return {
    concerns: (resource, operation, subresource) =>
      parts.some((part) => part.concerns(resource, operation, subresource)),
    async mutate(request) {
      const { resource, operation, subresource } = request;
      let { object } = request;
      for (const part of parts)
        if (part.concerns(resource, operation, subresource))
          object = await part.mutate({ ...request, object });
      return object;
    },
    async validate(request) {
      const { resource, operation, subresource } = request;
      for (const part of parts)
        if (part.concerns(resource, operation, subresource)) await part.validate(request);
    },
  };
}
