/**
 * 2. The cheap question of every write: does any webhook or policy name this row, operation and subresource? Answered from
 * the rules alone, once per row until a configuration or the served rows change; selectors are looked at later.
 */
import type { Operation } from '../registry/admission.js';
import type { Resource } from '../resources/resource.js';
import type { ResourceSet } from '../resources/set.js';
import type { Criteria } from './matching.js';
import { equivalentsOf, isExempt, ruleCovers } from './rules.js';

export class Interest {
  readonly #resources: ResourceSet;
  #criteria: readonly Criteria[] = [];
  #known = new WeakMap<Resource, Map<string, boolean>>();
  #version = -1;

  constructor(resources: ResourceSet) {
    this.#resources = resources;
  }

  replace(criteria: readonly Criteria[]): void {
    this.#criteria = criteria;
    this.#known = new WeakMap();
  }

  has(resource: Resource, operation: Operation, subresource: string): boolean {
    if (this.#criteria.length === 0) return false;
    if (this.#version !== this.#resources.version) {
      this.#version = this.#resources.version;
      this.#known = new WeakMap();
    }
    let answers = this.#known.get(resource);
    if (!answers) {
      answers = new Map();
      this.#known.set(resource, answers);
    }
    const key = `${operation} ${subresource}`;
    let answer = answers.get(key);
    if (answer === undefined) {
      answer = this.#find(resource, operation, subresource);
      answers.set(key, answer);
    }
    return answer;
  }

  #find(resource: Resource, operation: Operation, subresource: string): boolean {
    if (isExempt(resource)) return false;
    const target = { operation, subresource };
    const others = equivalentsOf(this.#resources.rows, resource);
    return this.#criteria.some(({ rules, isEquivalent }) =>
      rules?.some((rule) =>
        [resource, ...(isEquivalent ? others : [])].some((row) => ruleCovers(rule, row, target)),
      ),
    );
  }
}
