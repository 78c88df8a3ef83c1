/** The strategy of PodTemplates. Pure. */
import type { PodTemplate } from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import { podTemplateWarnings } from './podwarnings.js';
import { validatePodTemplate } from './template.js';

export const podTemplateStrategy: Strategy<PodTemplate> = {
  prepareForUpdate: (_context, object, old) => ({ ...object, metadata: withGeneration(object, old) }),
  validate: ({ template }) => validatePodTemplate('template', template ?? {}),
  warnings: (object, old) =>
    old && old.metadata.generation === object.metadata.generation
      ? []
      : podTemplateWarnings('template', object.template),
};

/** It has no spec, by which the registry would count. */
function withGeneration({ metadata, template }: PodTemplate, old: PodTemplate): PodTemplate['metadata'] {
  if (isSameJson(template, old.template)) return metadata;
  return { ...metadata, generation: (metadata.generation ?? 0) + 1 };
}
