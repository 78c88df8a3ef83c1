/**
 * 2. The rows that a CustomResourceDefinition asks for: one per served version, and where it takes one, a hidden row of
 * what is stored that they all are views of. Pure.
 *
 * The storing version is a row of its own, without any conversion, as long as every object is known to be stored in it, as
 * it would be stored now: `status.storedVersions` names no other, and no default can have come since.
 */
import { invalid } from '../../../src/api/errors.js';
import type { ResourceType } from '../../../src/api/kinds.js';
import type { ObjectType } from '../../../src/api/schema/table.js';
import { customObjectType } from '../../../src/api/structural/objecttype.js';
import { compileRules } from '../../../src/api/structural/rules.js';
import { compileSchema, type SchemaNode } from '../../../src/api/structural/schema.js';
import { validateSchema } from '../../../src/api/structural/validate.js';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  KubeObject,
} from '../../../src/api/types.js';
import { customPrinter } from '../../resources/printers/custom.js';
import type { Resource, View } from '../../resources/resource.js';
import type { Convert } from './convert.js';
import { customStrategy, scaleAccess, withDefaults } from './strategy.js';
import { compareVersions } from './versions.js';

interface Compiled {
  version: CustomResourceDefinitionVersion;
  node: SchemaNode;
  schema: ObjectType;
}

const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

export function customRows(definition: CustomResourceDefinition, convert: Convert): Resource[] {
  const { spec, status } = definition;
  const compiled = spec.versions.map((version): Compiled => {
    const node = compileSchema(version.schema?.openAPIV3Schema ?? anything);
    const { group } = spec;
    return {
      version,
      node,
      schema: customObjectType({ group, version: version.name, kind: spec.names.kind }, node),
    };
  });
  const storage = compiled.find(({ version }) => version.storage);
  if (!storage) return [];
  const stored = storedRow(definition, compiled, storage);
  const isMixed = (status?.storedVersions ?? []).some((name) => name !== storage.version.name);
  // What was stored before a default came shows it too: only a view looks at what is read.
  const gainedDefaults = storage.node.hasDefaults && (definition.metadata.generation ?? 1) > 1;
  const isPlain = !isMixed && !gainedDefaults;
  // The last instances have to be reachable, served or not.
  const isEnding = definition.metadata.deletionTimestamp !== undefined;
  return compiled
    .filter(({ version }) => version.served || (isEnding && version.storage))
    .sort((a, b) => compareVersions(a.version.name, b.version.name))
    .map((one) => (one === storage && isPlain ? stored : viewRow(definition, one, stored, convert)));
}

function namesOf(
  { spec, status }: CustomResourceDefinition,
  { version, schema }: Compiled,
): Omit<Resource, 'strategy'> {
  const { names } = spec;
  const accepted = status?.acceptedNames ?? names;
  const type: ResourceType = {
    group: spec.group,
    version: version.name,
    resource: names.plural,
    kind: names.kind,
    namespaced: spec.scope === 'Namespaced',
  };
  const { status: hasStatus, scale } = version.subresources ?? {};
  return {
    type,
    singular: names.singular ?? names.kind.toLowerCase(),
    shortNames: accepted.shortNames ?? [],
    categories: names.categories ?? [],
    subresources: [...(hasStatus ? ['status'] : []), ...(scale ? ['scale'] : [])],
    printer: customPrinter(version.additionalPrinterColumns),
    schema,
    listKind: names.listKind ?? `${names.kind}List`,
    ...(scale && { scale: scaleAccess(scale) }),
    ...(version.deprecated && { deprecation: deprecationOf(type, version) }),
  };
}

const deprecationOf = ({ group, kind }: ResourceType, version: CustomResourceDefinitionVersion): string =>
  version.deprecationWarning ?? `${group}/${version.name} ${kind} is deprecated`;

function storedRow(
  definition: CustomResourceDefinition,
  all: readonly Compiled[],
  storage: Compiled,
): Resource {
  const { version, node } = storage;
  const paths = all.flatMap((one) =>
    (one.version.selectableFields ?? []).map(({ jsonPath }) => jsonPath.slice(1)),
  );
  return {
    ...namesOf(definition, storage),
    strategy: customStrategy({
      node,
      rules: compileRules(node),
      hasStatus: version.subresources?.status !== undefined,
      scale: version.subresources?.scale,
      selectable: [...new Set(paths)],
      isTerminating: definition.metadata.deletionTimestamp !== undefined,
    }),
  };
}

function viewRow(
  definition: CustomResourceDefinition,
  one: Compiled,
  of: Resource,
  convert: Convert,
): Resource {
  const shape = namesOf(definition, one);
  const [own, storing] = [shape.type, of.type].map(({ group, version }) => `${group}/${version}`);
  const view: View = {
    of,
    toStored(objects) {
      // What a version asks for holds for what is written in it, whatever it is stored as.
      const filled = objects.map((object) => withDefaults(one.node, object));
      if (own !== storing) for (const object of filled) check(shape.type, one.node, object);
      return convert(filled, storing ?? '');
    },
    async fromStored(objects) {
      const converted = await convert(objects, own ?? '');
      return converted.map((object) => withDefaults(one.node, object));
    },
  };
  return { ...shape, strategy: of.strategy, view };
}

function check({ group, kind }: ResourceType, node: SchemaNode, object: KubeObject): void {
  const errors = validateSchema(node, object);
  if (errors.length > 0) throw invalid({ group, kind, name: object.metadata.name ?? '' }, errors);
}
