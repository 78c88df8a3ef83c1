/**
 * 1. How the `scale` subresource prints: it is an `autoscaling/v1` Scale whatever kind it belongs to.
 */
import type { KubeObject } from '../../src/api/types.js';
import { ageColumn, createdAge } from '../resources/printers/age.js';
import type { Resource } from '../resources/resource.js';

interface Scale extends KubeObject {
  spec?: { replicas?: number };
  status?: { replicas?: number };
}

export const scaleView: Resource = {
  type: { group: 'autoscaling', version: 'v1', resource: 'scales', kind: 'Scale', namespaced: true },
  singular: 'scale',
  shortNames: [],
  categories: [],
  subresources: [],
  strategy: {},
  printer: {
    columns: [
      { name: 'Name', type: 'string', format: 'name', description: 'Name of the scaled object.' },
      { name: 'Desired', type: 'integer', description: 'Replicas asked for.' },
      { name: 'Available', type: 'integer', description: 'Replicas there are.' },
      ageColumn,
    ],
    cells(object: Scale, now) {
      return [
        object.metadata.name,
        object.spec?.replicas ?? 0,
        object.status?.replicas ?? 0,
        createdAge(object, now),
      ];
    },
  },
};
