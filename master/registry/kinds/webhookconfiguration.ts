/**
 * Strategies of MutatingWebhookConfiguration and ValidatingWebhookConfiguration: defaults, and validation with the paths
 * and words of kube-apiserver. What webhooks do is in `master/admission/`.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { dns1035LabelErrors, dnsSubdomainErrors } from '../../../src/api/names.js';
import type {
  KubeObject,
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ServiceReference,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from '../../../src/api/types.js';
import { conditionVariables } from '../../admission/expressions.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import { duplicate, invalidValue, isPort, oneOf, portRange, required } from '../validation/field.js';
import {
  failurePolicies,
  matchPolicies,
  reinvocationPolicies,
  validateMatchConditions,
  validateQualifiedName,
  validateRule,
  withScope,
} from './admissionrule.js';
import { validateLabelSelector } from './selector.js';

type Webhook = ValidatingWebhook & Partial<Pick<MutatingWebhook, 'reinvocationPolicy'>>;
type Configuration = KubeObject & { webhooks?: Webhook[] | undefined };

const timeouts = { default: 10, least: 1, most: 30 };
const reviewVersions = ['v1', 'v1beta1'];

function withDefaults(webhook: Webhook, isMutating: boolean): Webhook {
  const { clientConfig, rules } = webhook;
  return {
    ...webhook,
    ...(clientConfig?.service && {
      clientConfig: {
        ...clientConfig,
        service: { ...clientConfig.service, port: clientConfig.service.port ?? 443 },
      },
    }),
    ...(rules && { rules: rules.map(withScope) }),
    failurePolicy: webhook.failurePolicy ?? 'Fail',
    matchPolicy: webhook.matchPolicy ?? 'Equivalent',
    namespaceSelector: webhook.namespaceSelector ?? {},
    objectSelector: webhook.objectSelector ?? {},
    timeoutSeconds: webhook.timeoutSeconds ?? timeouts.default,
    ...(isMutating && { reinvocationPolicy: webhook.reinvocationPolicy ?? 'Never' }),
  };
}

function strategyOf(isMutating: boolean): Strategy<Configuration> {
  return {
    default: (object) =>
      object.webhooks
        ? { ...object, webhooks: object.webhooks.map((webhook) => withDefaults(webhook, isMutating)) }
        : object,
    prepareForUpdate: (_context, object, old) =>
      isSameJson(object.webhooks, old.webhooks) ? object : withNextGeneration(object, old),
    validate: (object) => validateWebhooks(object.webhooks ?? []),
  };
}

const withNextGeneration = <T extends KubeObject>(object: T, { metadata }: KubeObject): T => ({
  ...object,
  metadata: { ...object.metadata, generation: (metadata.generation ?? 0) + 1 },
});

export const mutatingWebhookStrategy: Strategy<MutatingWebhookConfiguration> = strategyOf(true);

export const validatingWebhookStrategy: Strategy<ValidatingWebhookConfiguration> = strategyOf(false);

function validateWebhooks(webhooks: readonly Webhook[]): FieldError[] {
  const names = new Set<string>();
  return webhooks.flatMap((webhook, index) => {
    const path = `webhooks[${index}]`;
    const errors = validateWebhook(path, webhook);
    if (names.has(webhook.name)) errors.push(duplicate(`${path}.name`, webhook.name));
    names.add(webhook.name);
    return errors;
  });
}

function validateWebhook(path: string, webhook: Webhook): FieldError[] {
  const { timeoutSeconds = timeouts.default } = webhook;
  return [
    ...validateQualifiedName(`${path}.name`, webhook.name ?? ''),
    ...validateReviewVersions(`${path}.admissionReviewVersions`, webhook.admissionReviewVersions ?? []),
    ...(webhook.rules ?? []).flatMap((rule, index) => validateRule(`${path}.rules[${index}]`, rule)),
    ...oneOf(`${path}.failurePolicy`, webhook.failurePolicy, failurePolicies),
    ...oneOf(`${path}.matchPolicy`, webhook.matchPolicy, matchPolicies),
    ...validateSideEffects(`${path}.sideEffects`, webhook.sideEffects),
    ...(timeoutSeconds < timeouts.least || timeoutSeconds > timeouts.most
      ? [
          invalidValue(
            `${path}.timeoutSeconds`,
            timeoutSeconds,
            'the timeout value must be between 1 and 30 seconds',
          ),
        ]
      : []),
    ...validateLabelSelector(`${path}.namespaceSelector`, webhook.namespaceSelector),
    ...validateLabelSelector(`${path}.objectSelector`, webhook.objectSelector),
    ...validateClientConfig(`${path}.clientConfig`, webhook.clientConfig),
    ...oneOf(`${path}.reinvocationPolicy`, webhook.reinvocationPolicy, reinvocationPolicies),
    ...validateMatchConditions(`${path}.matchConditions`, webhook.matchConditions, conditionVariables),
  ];
}

const sideEffectClasses = ['None', 'NoneOnDryRun'];

function validateSideEffects(field: string, value: string | undefined): FieldError[] {
  if (!value) return [required(field, `must specify one of ${sideEffectClasses.join(', ')}`)];
  return oneOf(field, value, sideEffectClasses);
}

function validateReviewVersions(field: string, versions: readonly string[]): FieldError[] {
  if (versions.length === 0) return [required(field, `must specify one of ${reviewVersions.join(', ')}`)];
  const seen = new Set<string>();
  const errors = versions.flatMap((version, index) => {
    const at = `${field}[${index}]`;
    const isRepeated = seen.has(version);
    seen.add(version);
    return isRepeated
      ? [invalidValue(at, version, 'duplicate version')]
      : dns1035LabelErrors(version).map((detail) => invalidValue(at, version, detail));
  });
  return versions.some((version) => reviewVersions.includes(version))
    ? errors
    : [...errors, invalidValue(field, versions, `must include at least one of ${reviewVersions.join(', ')}`)];
}

/** Exported for the conversion webhooks of CustomResourceDefinitions too. */
export function validateClientConfig(
  path: string,
  config: { url?: string | undefined; service?: ServiceReference | undefined } | undefined,
): FieldError[] {
  const { url, service } = config ?? {};
  if ((url === undefined) === (service === undefined))
    return [required(path, 'exactly one of url or service is required')];
  return url === undefined ? validateService(`${path}.service`, service) : validateUrl(`${path}.url`, url);
}

const urlForm = '; desired format: https://host[/path]';

function validateUrl(field: string, text: string): FieldError[] {
  if (!URL.canParse(text)) {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1] ?? '';
    return scheme === 'https'
      ? [invalidValue(field, '', `host must be specified${urlForm}`)]
      : [invalidValue(field, scheme, `'https' is the only allowed URL scheme${urlForm}`)];
  }
  const url = new URL(text);
  const scheme = url.protocol.slice(0, -1);
  const errors: FieldError[] = [];
  if (scheme !== 'https')
    errors.push(invalidValue(field, scheme, `'https' is the only allowed URL scheme${urlForm}`));
  if (!url.host) errors.push(invalidValue(field, '', `host must be specified${urlForm}`));
  if (url.username || url.password)
    errors.push(invalidValue(field, url.username, 'user information is not permitted in the URL'));
  if (url.hash) errors.push(invalidValue(field, url.hash.slice(1), 'fragments are not permitted in the URL'));
  if (url.search)
    errors.push(invalidValue(field, url.search.slice(1), 'query parameters are not permitted in the URL'));
  return errors;
}

function validateService(path: string, service: ServiceReference | undefined): FieldError[] {
  const { name = '', namespace = '', path: urlPath, port = 443 } = service ?? {};
  return [
    ...(name ? [] : [required(`${path}.name`, 'service name is required')]),
    ...(namespace ? [] : [required(`${path}.namespace`, 'service namespace is required')]),
    ...(isPort(port) ? [] : [invalidValue(`${path}.port`, port, `port is not valid: ${portRange}`)]),
    ...validatePath(`${path}.path`, urlPath),
  ];
}

function validatePath(field: string, path: string | undefined): FieldError[] {
  if (!path || path === '/') return [];
  if (!path.startsWith('/')) return [invalidValue(field, path, "must start with a '/'")];
  const steps = (path.endsWith('/') ? path.slice(1, -1) : path.slice(1)).split('/');
  return steps.flatMap((step, index) => {
    if (step === '') return [invalidValue(field, path, `segment[${index}] may not be empty`)];
    return dnsSubdomainErrors(step).map((detail) =>
      invalidValue(field, path, `segment[${index}]: ${detail}`),
    );
  });
}
