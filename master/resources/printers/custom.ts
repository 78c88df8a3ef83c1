/**
 * Tables of custom kinds: the columns their CustomResourceDefinition names, as kube-apiserver prints them. Pure.
 */
import { JsonPathError, parseJsonPath } from '../../../src/api/structural/jsonpath.js';
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  KubeObject,
} from '../../../src/api/types.js';
import type { Column, Printer } from '../resource.js';
import { ageOf, nameColumn } from './age.js';

type Cell = (object: KubeObject, now: Date) => unknown;

const types: readonly string[] = ['string', 'integer', 'number', 'boolean', 'date'];

const defaults: readonly CustomResourceColumnDefinition[] = [
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
];

/** The name, then the given columns; without any, the age. */
export function customPrinter(
  given: readonly CustomResourceColumnDefinition[] | undefined,
): Printer<KubeObject> {
  const made = (given && given.length > 0 ? given : defaults).map(columnOf);
  return {
    columns: [nameColumn, ...made.map(({ column }) => column)],
    cells: (object, now) => [object.metadata.name ?? '', ...made.map(({ cell }) => cell(object, now))],
  };
}

function columnOf(given: CustomResourceColumnDefinition): { column: Column; cell: Cell } {
  const { name, type, jsonPath, format, description, priority } = given;
  const column: Column = {
    name,
    type: types.includes(type) ? (type as Column['type']) : 'string',
    ...(format && { format }),
    description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
    ...(priority && { priority }),
  };
  return { column, cell: cellOf(type, jsonPath) };
}

function cellOf(type: string, jsonPath: string): Cell {
  try {
    const find = parseJsonPath(jsonPath);
    return (object, now) => cellValue(type, find(object)[0], now);
  } catch (error) {
    if (!(error instanceof JsonPathError)) throw error;
    return () => null;
  }
}

/** Null, which kubectl prints as `<none>`, for what is not there or of another type. */
function cellValue(type: string, value: unknown, now: Date): unknown {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      if (typeof value !== 'string') return null;
      return Number.isNaN(Date.parse(value)) ? '<invalid>' : ageOf(value, now);
    default:
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }
}

/** As kubectl shows definitions: when they were made, as a time. */
export const definitionPrinter: Printer<CustomResourceDefinition> = {
  columns: [nameColumn, { name: 'Created At', type: 'date', description: 'When the definition was made.' }],
  cells: ({ metadata }) => [metadata.name ?? '', metadata.creationTimestamp ?? ''],
};
