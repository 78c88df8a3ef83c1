/**
 * 2. Does a webhook, a policy or a binding want to see a request: selectors, rules, exclusions. Selectors are compiled
 * once per configuration; only a namespace selector needs a read.
 */
import { type ApiError, internalError, isReason } from '../../src/api/errors.js';
import { namespaces } from '../../src/api/kinds.js';
import { type Selector, selectorOf } from '../../src/api/selectors.js';
import type { LabelSelector, MatchResources, Namespace } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import type { Resource } from '../resources/resource.js';
import { matchRules, type Rule } from './rules.js';
import type { Subject } from './subject.js';

export interface Criteria {
  rules: readonly Rule[] | undefined;
  excluded: readonly Rule[] | undefined;
  /** Without rules everything matches: true for bindings. */
  emptyMatchesAll: boolean;
  isEquivalent: boolean;
  namespaceSelector: Selector | undefined;
  objectSelector: Selector | undefined;
}

/** Absent and empty selectors match everything. Throws `SelectorError`. */
function compiled(selector: LabelSelector | undefined): Selector | undefined {
  const made = selector && selectorOf(selector);
  return made?.isEmpty ? undefined : made;
}

export function criteriaOf(
  given: MatchResources & { rules?: readonly Rule[] | undefined },
  emptyMatchesAll = false,
): Criteria {
  return {
    rules: given.rules ?? given.resourceRules,
    excluded: given.excludeResourceRules,
    emptyMatchesAll,
    isEquivalent: given.matchPolicy !== 'Exact',
    namespaceSelector: compiled(given.namespaceSelector),
    objectSelector: compiled(given.objectSelector),
  };
}

export class Matching {
  readonly #client: Pick<Client, 'get'>;

  constructor(client: Pick<Client, 'get'>) {
    this.#client = client;
  }

  /** The row in whose version to show the request; `undefined` when it is not wanted. Rejects with `ApiError`. */
  async match(criteria: Criteria, subject: Subject): Promise<Resource | undefined> {
    if (!matchesObject(criteria.objectSelector, subject)) return undefined;
    const row = rowFor(criteria, subject);
    if (!row) return undefined;
    return (await this.#matchesNamespace(criteria.namespaceSelector, subject)) ? row : undefined;
  }

  /** What lies around the object; `undefined` for cluster-wide ones and for namespaces. */
  async namespaceOf(subject: Subject): Promise<Namespace | undefined> {
    if (subject.isNamespace || !subject.namespace) return undefined;
    return this.#client.get(namespaces, { name: subject.namespace });
  }

  async #matchesNamespace(selector: Selector | undefined, subject: Subject): Promise<boolean> {
    if (!selector || !subject.namespace) return true;
    return selector.matches(await this.#namespaceLabels(subject));
  }

  /** A namespace that is just being written has the labels it is written with. */
  async #namespaceLabels(subject: Subject): Promise<Record<string, string> | undefined> {
    const isWrite = subject.operation === 'CREATE' || subject.operation === 'UPDATE';
    if (subject.isNamespace && subject.subresource === '' && isWrite) return subject.object?.metadata.labels;
    try {
      const found = await this.#client.get(namespaces, { name: subject.namespace ?? '' });
      return found.metadata.labels;
    } catch (error) {
      throw isReason(error, 'NotFound') ? error : (internalError(error) satisfies ApiError);
    }
  }
}

function matchesObject(selector: Selector | undefined, { object, request }: Subject): boolean {
  if (!selector) return true;
  return [object, request.oldObject].some((state) => state && selector.matches(state.metadata?.labels));
}

function rowFor(criteria: Criteria, subject: Subject): Resource | undefined {
  const { resource } = subject.request;
  const others = criteria.isEquivalent ? subject.equivalents : [];
  if (criteria.excluded?.length && matchRules(criteria.excluded, resource, subject, others)) return undefined;
  if (criteria.emptyMatchesAll && !criteria.rules?.length) return resource;
  return matchRules(criteria.rules, resource, subject, others);
}
