/**
 * 2. What the registry does with objects of a custom kind: everything by the schema of their CustomResourceDefinition.
 */
import { ApiError, type FieldError, internalError } from '../../../src/api/errors.js';
import { labelKeyErrors } from '../../../src/api/names.js';
import { oldMember, oldValue } from '../../../src/api/structural/correlate.js';
import { applyDefaults, lacksDefaults } from '../../../src/api/structural/defaults.js';
import { validateEmbedded } from '../../../src/api/structural/embedded.js';
import { parseJsonPath, plainPath, readPath, writePath } from '../../../src/api/structural/jsonpath.js';
import { validateLists } from '../../../src/api/structural/lists.js';
import { type RuleSet, validateRules } from '../../../src/api/structural/rules.js';
import type { SchemaNode } from '../../../src/api/structural/schema.js';
import { validateSchema } from '../../../src/api/structural/validate.js';
import type { CustomResourceSubresourceScale, KubeObject } from '../../../src/api/types.js';
import type { ScaleAccess } from '../../resources/resource.js';
import { copyJson } from '../codec.js';
import type { Strategy } from '../strategy.js';

/** A custom object; what its spec and status hold is the schema's business. */
type Custom = KubeObject & Record<string, unknown>;

export interface CustomRules {
  node: SchemaNode;
  rules: RuleSet;
  hasStatus: boolean;
  scale: CustomResourceSubresourceScale | undefined;
  /** JSON paths without their dot, of every version that has some. */
  selectable: readonly string[];
  /** The definition is being deleted: nothing new is accepted. */
  isTerminating: boolean;
}

export function customStrategy(custom: CustomRules): Strategy {
  const { node, hasStatus, selectable } = custom;
  const readers = selectable.map((path) => [path, parseJsonPath(`.${path}`)] as const);
  return {
    generation: 'body',
    allowUnconditionalUpdate: false,
    default: (object) => withDefaults(node, object),
    prepareForCreate(_context, object) {
      if (custom.isTerminating) {
        const text = 'create not allowed while custom resource definition is terminating';
        throw new ApiError('MethodNotAllowed', text);
      }
      return hasStatus ? withoutStatus(object) : object;
    },
    prepareForUpdate: (_context, object, old) => (hasStatus ? withStatus(object, old) : object),
    prepareForStatusUpdate(_context, object, old) {
      const next = withStatus(old, withDefaults(node, object));
      return { ...next, metadata: { ...old.metadata, managedFields: object.metadata.managedFields } };
    },
    validateCreate(object) {
      const errors = [
        ...validateSchema(node, object),
        ...scaleErrors(custom, object),
        ...validateEmbedded(object, node),
        ...validateLists(node, object),
      ];
      return withRules(custom, errors, object, undefined);
    },
    validateUpdate: (object, old) => updateErrors(custom, object, old),
    validateStatusUpdate: (object, old) => statusErrors(custom, object as Custom, old as Custom),
    warnings: finalizerWarnings,
    ...(selectable.length > 0 && {
      fields: (object) =>
        Object.fromEntries(readers.map(([path, read]) => [path, fieldText(read(object)[0])])),
    }),
  };
}

const fieldText = (value: unknown): string => (value === undefined || value === null ? '' : String(value));

/** The object with its defaults; itself when it has nothing to be filled in. */
export function withDefaults(node: SchemaNode, object: KubeObject): KubeObject {
  if (!lacksDefaults(object, node)) return object;
  const filled = copyJson(object) as KubeObject;
  applyDefaults(filled, node);
  return filled;
}

function withoutStatus(object: KubeObject): KubeObject {
  const { status: _status, ...rest } = object as Custom;
  return rest as KubeObject;
}

/** The object with the status of `from`. */
function withStatus(object: KubeObject, from: KubeObject): KubeObject {
  const { status } = from as Custom;
  return status === undefined ? withoutStatus(object) : ({ ...object, status } as KubeObject);
}

function updateErrors(custom: CustomRules, object: KubeObject, old: KubeObject): FieldError[] {
  const { node } = custom;
  const lists = validateLists(node, object);
  const errors = [
    ...validateSchema(node, object, '', oldValue(old)),
    ...scaleErrors(custom, object),
    ...validateEmbedded(object, node),
    ...(lists.length > 0 && validateLists(node, old).length > 0 ? [] : lists),
  ];
  return withRules(custom, errors, object, old);
}

const blocking: readonly FieldError['type'][] = [
  'NotSupported',
  'Required',
  'TooLong',
  'TooMany',
  'TypeInvalid',
];

/** Rules see only objects whose values are of the types and sizes that they were compiled for. */
function withRules(
  { rules }: CustomRules,
  errors: FieldError[],
  object: KubeObject,
  old: KubeObject | undefined,
): FieldError[] {
  if (!rules.node.hasRules) return errors;
  if (!errors.some(({ type }) => blocking.includes(type)))
    return [...errors, ...validateRules(rules, object, old)];
  const detail =
    'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
  return [...errors, { type: 'Invalid', field: '<nil>', value: null, detail }];
}

/** Of a status update only the status is looked at, but rules may compare it with the spec. */
function statusErrors(custom: CustomRules, object: Custom, old: Custom): FieldError[] {
  const { node } = custom;
  const status = node.properties.get('status');
  const lists = validateLists(node, object);
  const errors = [
    ...(status && object['status'] !== undefined
      ? validateSchema(status, object['status'], 'status', oldMember(node, oldValue(old), 'status'))
      : []),
    ...scaleErrors(custom, object, true),
    ...(lists.length > 0 && validateLists(node, old).length > 0 ? [] : lists),
  ];
  return withRules(custom, errors, object, old);
}

const INT32_MAX = 2 ** 31 - 1;

function scaleErrors({ scale }: CustomRules, object: KubeObject, onlyStatus = false): FieldError[] {
  if (!scale) return [];
  const paths = onlyStatus ? [scale.statusReplicasPath] : [scale.specReplicasPath, scale.statusReplicasPath];
  return paths.flatMap((path): FieldError[] => {
    const value = readPath(object, plainPath(path));
    if (typeof value !== 'number') return [];
    const details = [
      ...(value < 0 ? ['should be a non-negative integer'] : []),
      ...(value > INT32_MAX ? [`should be less than or equal to ${INT32_MAX}`] : []),
    ];
    return details.map((detail) => ({ type: 'Invalid', field: path, value, detail }));
  });
}

const standardFinalizers = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);

function finalizerWarnings(object: KubeObject, old: KubeObject | undefined): string[] {
  const added = (object.metadata.finalizers ?? []).filter(
    (name) => !old?.metadata.finalizers?.includes(name),
  );
  return added.sort().flatMap((name) => {
    const head = `metadata.finalizers: ${JSON.stringify(name)}:`;
    const problems = labelKeyErrors(name).map((problem) => `${head} ${problem}`);
    if (name.includes('/') || standardFinalizers.has(name)) return problems;
    const form = name.includes('.') ? ' including a path (/)' : '';
    return [
      ...problems,
      `${head} prefer a domain-qualified finalizer name${form} to avoid accidental conflicts with other finalizer writers`,
    ];
  });
}

/** How the scale subresource reads and writes objects of the kind. */
export function scaleAccess(scale: CustomResourceSubresourceScale): ScaleAccess {
  const [spec, status] = [plainPath(scale.specReplicasPath), plainPath(scale.statusReplicasPath)];
  const selector = scale.labelSelectorPath ? plainPath(scale.labelSelectorPath) : undefined;
  const count = (value: unknown): number => (typeof value === 'number' ? value : 0);
  return {
    read(object) {
      if (readPath(object, spec) === undefined) {
        const problem = `the spec replicas field ${JSON.stringify(scale.specReplicasPath)} does not exist`;
        throw internalError(new Error(problem));
      }
      const text = selector && readPath(object, selector);
      return {
        specReplicas: count(readPath(object, spec)),
        statusReplicas: count(readPath(object, status)),
        selector: typeof text === 'string' ? text : '',
      };
    },
    write: (object, replicas) => writePath(object, spec, replicas) as KubeObject,
  };
}
