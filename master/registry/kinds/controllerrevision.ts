/** The strategy of ControllerRevisions: what they hold never changes. Pure. */
import type { ControllerRevision } from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import { immutable, invalidValue, nonNegative, required } from '../validation/field.js';

export const controllerRevisionStrategy: Strategy<ControllerRevision> = {
  generation: false,
  validate: ({ data, revision }) => [
    ...(data === undefined || data === null ? [required('data', 'data is mandatory')] : []),
    ...nonNegative('revision', revision),
  ],
  validateUpdate: ({ data }, old) =>
    isSameJson(data, old.data) ? [] : [invalidValue('data', data, immutable)],
};
