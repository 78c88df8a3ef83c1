/**
 * 1. How the `scale` subresource prints: it is an `autoscaling/v1` Scale whatever kind it belongs to.
 */
import type { KubeObject } from '../../src/api/types.js';
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
      { name: 'Age', type: 'date', description: 'When the object was created.' },
    ],
    cells(object: Scale) {
      const { metadata, spec, status } = object;
      return [
        metadata.name,
        spec?.replicas ?? 0,
        status?.replicas ?? 0,
        metadata.creationTimestamp ?? '<unknown>',
      ];
    },
  },
};
