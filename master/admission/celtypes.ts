/**
 * 2. The types of built-in objects as CEL's checker wants them, for warnings about expressions that cannot be right. Pure.
 * What is not plain JSON (quantities, times, int-or-string) counts as anything.
 */
import type { ObjectShape } from '../../src/api/cel/program.js';
import type { ObjectType, TypeNode } from '../../src/api/schema/table.js';

/** The shape of the object itself goes first. */
export function celTypesOf(type: ObjectType): { name: string; shapes: ObjectShape[] } {
  const shapes = new Map<string, ObjectShape>();
  return { name: nameOf(type, shapes), shapes: [...shapes.values()] };
}

function nameOf(type: ObjectType, shapes: Map<string, ObjectShape>): string {
  const name = `kubernetes.${type.name}`;
  if (shapes.has(name)) return name;
  const fields: Record<string, string> = {};
  shapes.set(name, { name, ctor: class Typed {}, fields, equals: Object.is });
  if (type.isTopLevel) Object.assign(fields, { apiVersion: 'string', kind: 'string' });
  for (const field of type.fields.values()) fields[field.name] = celType(field.type, shapes);
  return name;
}

function celType(node: TypeNode, shapes: Map<string, ObjectShape>): string {
  switch (node.kind) {
    case 'object':
      return node.preservesUnknown ? 'dyn' : nameOf(node, shapes);
    case 'list':
      return `list<${celType(node.item, shapes)}>`;
    case 'map':
      return `map<string, ${celType(node.value, shapes)}>`;
    case 'scalar':
      return scalars[node.scalar] ?? 'dyn';
    case 'union':
      return 'dyn';
  }
}

const scalars: Readonly<Record<string, string>> = {
  string: 'string',
  bool: 'bool',
  int32: 'int',
  int64: 'int',
  double: 'double',
};
