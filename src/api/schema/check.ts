/**
 * Decodes what a client sent: finds unknown fields and values of a wrong type, and leaves the object as Kubernetes
 * would store it. Pure, but works in place. Called by the registry for every body and every patched object.
 *
 * In place: unknown fields and nulls are removed, quantities and times become canonical, a null in a list or map
 * becomes the zero value of its type. Nothing is defaulted, required fields are not asked for (validation does that).
 */
import type { FieldError } from '../errors.js';
import { builtinSchema, type GroupVersionKind, type ObjectType, type TypeNode } from './table.js';
import { jsonType, scalarValue, WrongValue, zeroValue } from './values.js';

export interface CheckResult {
  /** Paths of fields the schema does not have (the first 100), as kube-apiserver prints them: `spec.containers[0].imagee`. */
  unknown: string[];
  /** Values that cannot be decoded; `detail` is the message of Go's decoder. */
  errors: FieldError[];
}

type Fields = Record<string, unknown>;

/** A hostile body shall not make an answer larger than itself; kube-apiserver names as many. */
const MAX_PROBLEMS = 100;

/** The walk keeps its place in stacks, so that a healthy object costs no string building. */
class Walk {
  readonly result: CheckResult = { unknown: [], errors: [] };
  readonly path: (string | number)[] = [];
  /** Names of struct fields only, as Go prints them. */
  readonly fieldNames: string[] = [];
  structName = '';

  pathText(last?: string): string {
    const parts = last === undefined ? this.path : [...this.path, last];
    return parts.reduce<string>(
      (text, part) =>
        typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`,
      '',
    );
  }

  fail(value: unknown, detail: string): void {
    if (this.result.errors.length >= MAX_PROBLEMS) return;
    this.result.errors.push({ type: 'TypeInvalid', field: this.pathText(), value, detail });
  }

  wrongType(value: unknown, found: string, goName: string): void {
    const where =
      this.fieldNames.length === 0
        ? 'Go value'
        : `Go struct field ${this.structName.slice(this.structName.indexOf('.') + 1)}.${this.fieldNames.join('.')}`;
    this.fail(value, `json: cannot unmarshal ${found} into ${where} of type ${goName}`);
  }

  value(type: TypeNode, value: unknown): unknown {
    switch (type.kind) {
      case 'scalar':
        return this.scalar(type, value);
      case 'object':
        if (isObject(value)) this.object(type, value);
        else this.wrongType(value, jsonType(value), type.goName);
        return value;
      case 'list':
        if (Array.isArray(value)) this.list(type.item, value);
        else this.wrongType(value, jsonType(value), type.goName);
        return value;
      case 'map':
        if (isObject(value)) this.map(type.value, value);
        else this.wrongType(value, jsonType(value), type.goName);
        return value;
      case 'union':
        return this.value(isObject(value) ? type.object : type.other, value);
    }
  }

  scalar(type: Extract<TypeNode, { kind: 'scalar' }>, value: unknown): unknown {
    if (type.scalar === 'string' && typeof value === 'string') return value;
    try {
      return scalarValue(type.scalar, value);
    } catch (error) {
      if (!(error instanceof WrongValue)) throw error;
      if (error.found === undefined) this.fail(value, error.message);
      else this.wrongType(value, error.found, type.goName);
      return value;
    }
  }

  object(type: ObjectType, object: Fields): void {
    const outer = this.structName;
    for (const key of Object.keys(object)) {
      const field = type.fields.get(key);
      if (field === undefined) {
        if (this.result.unknown.length < MAX_PROBLEMS) this.result.unknown.push(this.pathText(key));
        delete object[key];
        continue;
      }
      const value = object[key];
      if (value === null || value === undefined) {
        delete object[key];
        continue;
      }
      this.path.push(key);
      this.fieldNames.push(key);
      this.structName = type.goName;
      const decoded = this.value(field.type, value);
      if (decoded !== value) object[key] = decoded;
      this.fieldNames.pop();
      this.path.pop();
    }
    this.structName = outer;
  }

  list(item: TypeNode, list: unknown[]): void {
    for (let i = 0; i < list.length; i++) {
      this.path.push(i);
      list[i] = list[i] === null ? zeroValue(item) : this.value(item, list[i]);
      this.path.pop();
    }
  }

  map(type: TypeNode, map: Fields): void {
    for (const key of Object.keys(map)) {
      const value = map[key];
      this.path.push(key);
      const decoded = value === null ? zeroValue(type) : this.value(type, value);
      if (decoded !== value) map[key] = decoded;
      this.path.pop();
    }
  }
}

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Decodes `value` in place as an object of `type`, which may be of a custom kind. */
export function checkType(type: ObjectType, value: unknown): CheckResult {
  if (type.custom) return type.custom.decode(value);
  const walk = new Walk();
  walk.value(type, value);
  return walk.result;
}

/** Decodes `object` in place as an object of a built-in kind. Throws `TypeError` for any other kind. */
export function checkObject(gvk: GroupVersionKind, object: unknown): CheckResult {
  const type = builtinSchema.typeOf(gvk);
  if (!type) throw new TypeError(`no built-in kind ${gvk.group}/${gvk.version} ${gvk.kind}`);
  return checkType(type, object);
}
