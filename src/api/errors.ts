/**
 * Contract: every error that can leave the API, as Kubernetes words it. Pure.
 *
 * One table (`reasons`) ties reason, HTTP code and constructor together. Code throws `ApiError`; the HTTP border
 * turns it into its `Status` body, and the REST client turns a `Status` body back into an equal `ApiError`, so a
 * caller cannot tell whether the registry answered in process or over HTTPS.
 */

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** The body of every answer that is not an object (apimachinery `metav1.Status`). */
export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: Record<string, unknown>;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: Reason | undefined;
  details?: StatusDetails;
  code: number;
}

const reasons = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  Gone: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
  ServerTimeout: 500,
} as const;

export type Reason = keyof typeof reasons;

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly reason: Reason;
  readonly code: number;
  readonly details: StatusDetails | undefined;

  constructor(reason: Reason, message: string, details?: StatusDetails, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
    this.code = reasons[reason];
    this.details = details;
  }

  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.details && { details: this.details }),
      code: this.code,
    };
  }

  /** Rebuilds the error from a `Status` body; an unknown reason falls back to the one of its HTTP code. */
  static fromStatus(status: Partial<Status>, httpCode: number): ApiError {
    const isKnown = status.reason !== undefined && Object.hasOwn(reasons, status.reason);
    const reason = isKnown && status.reason ? status.reason : reasonOfCode(httpCode);
    return new ApiError(reason, status.message ?? `the server answered ${httpCode}`, status.details);
  }
}

function reasonOfCode(code: number): Reason {
  const found = Object.entries(reasons).find(([, value]) => value === code);
  return found ? (found[0] as Reason) : 'InternalError';
}

/** True for an `ApiError` of one of these reasons; the guard callers use instead of comparing codes. */
export function isReason(error: unknown, ...wanted: Reason[]): error is ApiError {
  return error instanceof ApiError && wanted.includes(error.reason);
}

/** What an error is about, as Kubernetes prints it: `pods "web"` or `deployments.apps "web"`. */
export interface Subject {
  group: string;
  resource: string;
  name: string;
}

const qualified = (s: { group: string; resource: string }): string =>
  s.group === '' ? s.resource : `${s.resource}.${s.group}`;

const detailsOf = (s: Subject): StatusDetails => ({
  name: s.name,
  ...(s.group && { group: s.group }),
  kind: s.resource,
});

export const badRequest = (message: string, cause?: unknown): ApiError =>
  new ApiError('BadRequest', message, undefined, { cause });

export const unauthorized = (): ApiError => new ApiError('Unauthorized', 'Unauthorized');

export const forbidden = (s: Subject, why: string): ApiError =>
  new ApiError('Forbidden', `${qualified(s)}${s.name && ` "${s.name}"`} is forbidden: ${why}`, detailsOf(s));

export const notFound = (s: Subject): ApiError =>
  new ApiError('NotFound', `${qualified(s)} "${s.name}" not found`, detailsOf(s));

export const alreadyExists = (s: Subject): ApiError =>
  new ApiError('AlreadyExists', `${qualified(s)} "${s.name}" already exists`, detailsOf(s));

export const conflict = (s: Subject, why: string): ApiError =>
  new ApiError(
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(s)} "${s.name}": ${why}`,
    detailsOf(s),
  );

/** The wording clients look for when an optimistic update lost its race. */
export const staleVersion = (s: Subject): ApiError =>
  conflict(s, 'the object has been modified; please apply your changes to the latest version and try again');

export const expired = (message: string): ApiError => new ApiError('Expired', message);

export const internalError = (cause: unknown): ApiError =>
  new ApiError(
    'InternalError',
    `Internal error occurred: ${cause instanceof Error ? cause.message : String(cause)}`,
    undefined,
    { cause },
  );

/** The value of a `FieldError` that is not printed: an object or a list, which would only repeat what was sent. */
export const omitted: unique symbol = Symbol('omitted');

/** One thing wrong with one field, as `field.Error` of apimachinery. `field` is a path: `spec.ports[0].port`. */
export interface FieldError {
  type:
    | 'Required'
    | 'Invalid'
    | 'NotSupported'
    | 'Duplicate'
    | 'Forbidden'
    | 'TooLong'
    | 'TooMany'
    | 'NotFound'
    | 'TypeInvalid';
  field: string;
  /** The offending value, `omitted` for none; printed for the types that Kubernetes prints it for. */
  value?: unknown;
  /** How the value is printed where that is not its JSON. */
  valueText?: string;
  detail?: string | undefined;
}

const fieldReasons: Record<FieldError['type'], { reason: string; text: string }> = {
  Required: { reason: 'FieldValueRequired', text: 'Required value' },
  Invalid: { reason: 'FieldValueInvalid', text: 'Invalid value' },
  TypeInvalid: { reason: 'FieldValueTypeInvalid', text: 'Invalid value' },
  NotSupported: { reason: 'FieldValueNotSupported', text: 'Unsupported value' },
  Duplicate: { reason: 'FieldValueDuplicate', text: 'Duplicate value' },
  Forbidden: { reason: 'FieldValueForbidden', text: 'Forbidden' },
  TooLong: { reason: 'FieldValueTooLong', text: 'Too long' },
  TooMany: { reason: 'FieldValueTooMany', text: 'Too many' },
  NotFound: { reason: 'FieldValueNotFound', text: 'Not found' },
};

/** The text behind the path: `Invalid value: -1: must be greater than or equal to 0`. */
export function fieldErrorText(e: FieldError): string {
  const hasValue = e.value !== omitted && !['Required', 'Forbidden', 'TooLong', 'TooMany'].includes(e.type);
  const head =
    fieldReasons[e.type].text + (hasValue ? `: ${e.valueText ?? JSON.stringify(e.value) ?? 'null'}` : '');
  return e.detail ? `${head}: ${e.detail}` : head;
}

/** 422 naming every field, as kube-apiserver does: `Pod "a" is invalid: spec.x: Required value`. */
export function invalid(
  s: { group: string; kind: string; name: string },
  errors: readonly FieldError[],
): ApiError {
  const lines = errors.map((e) => `${e.field}: ${fieldErrorText(e)}`);
  const list = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
  const kind = s.group === '' ? s.kind : `${s.kind}.${s.group}`;
  return new ApiError('Invalid', `${kind} "${s.name}" is invalid: ${list}`, {
    name: s.name,
    ...(s.group && { group: s.group }),
    kind: s.kind,
    causes: errors.map((e) => ({
      reason: fieldReasons[e.type].reason,
      message: fieldErrorText(e),
      field: e.field,
    })),
  });
}
