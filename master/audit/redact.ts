/**
 * What never gets into the audit log, whatever its policy says: values of Secrets, tokens in reviews and token requests,
 * tokens in URLs. Pure. See docs/decisions/016.
 */
const hidden = 'REDACTED';
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** What a body is about. */
interface Subject {
  group: string;
  resource: string;
  subresource: string;
}

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** How bodies about this kind are made harmless; undefined when they are as they are. Bodies are not changed but copied. */
export function redactionOf({
  group,
  resource,
  subresource,
}: Subject): ((body: unknown) => unknown) | undefined {
  if (group === '' && resource === 'secrets') return withoutValues;
  const holdsToken =
    (group === '' && resource === 'serviceaccounts' && subresource === 'token') ||
    (group === 'authentication.k8s.io' && resource === 'tokenreviews');
  return holdsToken ? withoutToken : undefined;
}

/** Fields of Secrets, their lists and tables, of DeleteOptions and Status that hold no value. Any other may be a mistyped `data`. */
const harmless: ReadonlySet<string> = new Set([
  ...['apiVersion', 'kind', 'metadata', 'type', 'immutable', 'items'],
  ...['columnDefinitions', 'rows', 'cells', 'object', 'conditions'],
  ...['gracePeriodSeconds', 'propagationPolicy', 'orphanDependents', 'preconditions', 'dryRun'],
  ...['status', 'message', 'reason', 'details', 'code'],
]);

/** A Secret, a list or a table of them, or a patch of one. */
function withoutValues(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(isPatch(value) ? withoutStepValue : withoutValues);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => {
      if (key === 'metadata') return [key, metadataWithoutValues(child)];
      return [key, harmless.has(key) ? withoutValues(child) : hideAll(child)];
    }),
  );
}

/** Fields of metadata, of objects and lists. Any other may be `data` that was moved in too far. */
const ofMetadata: ReadonlySet<string> = new Set([
  ...['name', 'generateName', 'namespace', 'uid', 'resourceVersion', 'generation', 'selfLink'],
  ...['creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'],
  ...['labels', 'annotations', 'ownerReferences', 'finalizers', 'managedFields'],
  ...['continue', 'remainingItemCount'],
]);

/** `kubectl apply` keeps the whole object, values and all, in an annotation. */
function metadataWithoutValues(metadata: unknown): unknown {
  if (!isObject(metadata)) return hideAll(metadata);
  const kept = withOnly(ofMetadata, metadata);
  const { annotations } = metadata;
  return isObject(annotations) && lastApplied in annotations
    ? { ...kept, annotations: { ...annotations, [lastApplied]: hidden } }
    : kept;
}

const withOnly = (known: ReadonlySet<string>, object: Json): Json =>
  Object.fromEntries(
    Object.entries(object).map(([key, child]) => [key, known.has(key) ? child : hideAll(child)]),
  );

/** A JSON patch carries values at any path. */
const isPatch = (list: readonly unknown[]): boolean =>
  list.some((step) => isObject(step) && typeof step['op'] === 'string' && typeof step['path'] === 'string');

const withoutStepValue = (step: unknown): unknown =>
  isObject(step) && 'value' in step ? { ...step, value: hidden } : step;

/** Which keys there are stays visible. */
const hideAll = (value: unknown): unknown =>
  isObject(value) ? Object.fromEntries(Object.keys(value).map((key) => [key, hidden])) : value && hidden;

/** Of spec and status of a TokenReview and a TokenRequest what is no token. Any other may be a mistyped `token`. */
const besideTokens: ReadonlySet<string> = new Set([
  ...['audiences', 'boundObjectRef', 'expirationSeconds', 'expirationTimestamp'],
  ...['authenticated', 'user', 'error'],
]);

function withoutToken(body: unknown): unknown {
  if (!isObject(body)) return body;
  const part = (name: string): Json => {
    const value = body[name];
    return isObject(value) ? { [name]: withOnly(besideTokens, value) } : {};
  };
  return { ...body, ...part('spec'), ...part('status') };
}

const secretParameter = /([?&](?:access_token|id_token|token|password|secret|api_?key)=)[^&#]*/gi;

/** The URL with values of parameters that are called like a secret left out. */
export const safeUrl = (url: string): string =>
  url.includes('=') ? url.replace(secretParameter, `$1${hidden}`) : url;

/** Without `metadata.managedFields`, in an object or the items of a list. */
export function withoutManagedFields(body: unknown): unknown {
  if (!isObject(body)) return body;
  const { metadata, items } = body;
  if (Array.isArray(items)) return { ...body, items: items.map(withoutManagedFields) };
  if (!isObject(metadata) || !('managedFields' in metadata)) return body;
  const { managedFields: _owners, ...kept } = metadata;
  return { ...body, metadata: kept };
}
