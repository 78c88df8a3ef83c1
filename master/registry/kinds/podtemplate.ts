/** The strategy of PodTemplates. Pure. */
import type { PodTemplate } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { podTemplateWarnings } from './podwarnings.js';
import { validatePodTemplate } from './template.js';

export const podTemplateStrategy: Strategy<PodTemplate> = {
  generation: 'body',
  validate: ({ template }) => validatePodTemplate('template', template ?? {}),
  warnings: (object, old) =>
    old && old.metadata.generation === object.metadata.generation
      ? []
      : podTemplateWarnings('template', object.template),
};
