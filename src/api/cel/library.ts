/**
 * How functions are added to the language: a signature as the library reads it, and what it does. Pure.
 */
import type { Environment } from '@marcbachmann/cel-js';
import { CelEvaluationError } from './errors.js';
import { libraryName } from './names.js';

export type Handler = (...args: never[]) => unknown;

/** Adds `string.find(string): string` and the like; none of them waits for anything. */
export function addAll(environment: Environment, functions: Readonly<Record<string, Handler>>): void {
  for (const [signature, handler] of Object.entries(functions)) {
    const named = signature.replace(/(\w+)\(/, (_text, name: string) => `${libraryName(name)}(`);
    environment.registerFunction(named, handler as never, { async: false });
  }
}

/** The expression goes no further. */
export function fail(message: string): never {
  throw new CelEvaluationError(message);
}

/** A place to call functions on: `sets.contains(...)`. */
export function addNamespace(environment: Environment, name: string, type: string): void {
  const Namespace = { [type]: class {} }[type];
  if (!Namespace) return;
  environment.registerType(type, Namespace as never);
  environment.registerConstant(name, type as never, new Namespace());
}
