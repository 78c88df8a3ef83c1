/**
 * CEL as Kubernetes speaks it: the language of the library with Kubernetes' functions and types, and a meter that every
 * evaluation runs against. Pure. Made once; `program.ts` compiles with it.
 */
import { Environment } from '@marcbachmann/cel-js';
import { addAuthorizer } from './authorizer.js';
import { CelBudgetExceeded } from './errors.js';
import { addMacros } from './macros.js';
import { addNetwork } from './network.js';
import { addQuantityTypes } from './quantities.js';
import { addLists, addStrings } from './strings.js';

/** Steps that the evaluation under way may still take. */
export class Meter {
  left = 0;

  /** Throws `CelBudgetExceeded`, now and for every step after. */
  spend(steps: number): void {
    this.left -= steps;
    if (this.left < 0) throw new CelBudgetExceeded();
  }
}

export interface Language {
  environment: Environment;
  meter: Meter;
  hasFunction(name: string): boolean;
}

const limits = {
  maxAstNodes: 10_000,
  maxDepth: 100,
  maxListElements: 1_000,
  maxMapEntries: 1_000,
  maxCallArguments: 32,
};

export function createLanguage(): Language {
  const meter = new Meter();
  const environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits,
  });
  addStrings(environment);
  addLists(environment);
  addNetwork(environment);
  addQuantityTypes(environment);
  addAuthorizer(environment);
  addMacros(environment, () => meter.spend(1));
  const names = new Set(environment.getDefinitions().functions.map(({ name }) => name));
  return { environment, meter, hasFunction: (name) => names.has(name) };
}
