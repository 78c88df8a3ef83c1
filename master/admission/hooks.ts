/**
 * 2. Webhook configurations as they are used: every webhook with its selectors and conditions compiled, in the order of
 * the names of their configurations. Made again only for a configuration that changed.
 */
import { internalError } from '../../src/api/errors.js';
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from '../../src/api/types.js';
import { type Conditions, compileConditions } from './conditions.js';
import { type Criteria, criteriaOf } from './matching.js';

export interface Hook {
  /** Unique, also among webhooks of one name in one configuration. */
  id: string;
  configuration: string;
  webhook: ValidatingWebhook | MutatingWebhook;
  criteria: Criteria;
  conditions: Conditions | undefined;
  isReinvocable: boolean;
}

type Configuration = ValidatingWebhookConfiguration | MutatingWebhookConfiguration;

/** What is wrong with a stored selector is every request's problem, as in kube-apiserver. */
function hookOf(configuration: string, index: number, webhook: ValidatingWebhook | MutatingWebhook): Hook {
  try {
    return {
      id: `${configuration}/${webhook.name}/${index}`,
      configuration,
      webhook,
      criteria: criteriaOf({ ...webhook, rules: webhook.rules ?? [] }),
      conditions: compileConditions(webhook.matchConditions, {
        failsClosed: webhook.failurePolicy !== 'Ignore',
      }),
      isReinvocable: 'reinvocationPolicy' in webhook && webhook.reinvocationPolicy === 'IfNeeded',
    };
  } catch (error) {
    throw internalError(error);
  }
}

/** Keeps what was compiled for as long as the configuration stays the same object. */
export class Hooks {
  #compiled = new Map<Configuration, readonly Hook[]>();
  #all: readonly Hook[] = [];

  get all(): readonly Hook[] {
    return this.#all;
  }

  /** What is configured now. A configuration that does not compile at all is returned as an error and left out. */
  replace(configurations: readonly Configuration[]): Error[] {
    const errors: Error[] = [];
    const sorted = [...configurations].sort((a, b) => compare(a.metadata.name ?? '', b.metadata.name ?? ''));
    const next = new Map<Configuration, readonly Hook[]>();
    for (const configuration of sorted) {
      try {
        next.set(configuration, this.#compiled.get(configuration) ?? this.#compile(configuration));
      } catch (error) {
        errors.push(error as Error);
      }
    }
    this.#compiled = next;
    this.#all = [...next.values()].flat();
    return errors;
  }

  #compile({ metadata, webhooks }: Configuration): Hook[] {
    return (webhooks ?? []).map((webhook, index) => hookOf(metadata.name ?? '', index, webhook));
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
