/**
 * 1. The error border: whatever was thrown -> a `Status` and its HTTP code.
 *
 * `ApiError`s are answers; fastify's own refusals are translated; anything else is a defect of ours: 500, logged once
 * with the request id, its details kept out of the answer.
 */
import { ApiError, internalError, type Status } from '../../src/api/errors.js';
import type { Logger } from '../../src/host/log.js';
import { maxBodyBytes } from './body.js';

export interface ErrorContext {
  log: Logger;
  requestId: string;
  method: string;
  path: string;
}

export function toApiError(error: unknown, context: ErrorContext): ApiError {
  if (error instanceof ApiError) {
    if (error.reason === 'InternalError') report(error, context);
    return error;
  }
  const translated = fromFastify(error);
  if (translated) return translated;
  report(error, context);
  return internalError('the server met an unexpected condition');
}

function report(err: unknown, { log, requestId, method, path }: ErrorContext): void {
  log.error({ err, requestId, method, path }, 'request failed unexpectedly');
}

function fromFastify(error: unknown): ApiError | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ApiError('RequestEntityTooLarge', `Request entity too large: limit is ${maxBodyBytes}`);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new ApiError('UnsupportedMediaType', 'the Content-Type header is not a media type');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new ApiError('BadRequest', 'the request body has not the length that Content-Length says');
    case 'ECONNRESET':
      return new ApiError('BadRequest', 'the client closed the connection');
    default:
      return undefined;
  }
}

/** Paths under a known group version that lead nowhere. */
export const noSuchResource = (): ApiError =>
  new ApiError('NotFound', 'the server could not find the requested resource', {});

export const noSuchMethod = (): ApiError =>
  new ApiError('MethodNotAllowed', 'the server does not allow this method on the requested resource', {});

export const statusBytes = (status: Status): Buffer => Buffer.from(`${JSON.stringify(status)}\n`);

/** What a deletion that left nothing behind answers. */
export const deletedStatus = (subject: {
  name: string;
  group: string;
  kind: string;
  uid: string | undefined;
}): Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  details: {
    name: subject.name,
    ...(subject.group && { group: subject.group }),
    kind: subject.kind,
    ...(subject.uid && { uid: subject.uid }),
  },
  code: 200,
});
