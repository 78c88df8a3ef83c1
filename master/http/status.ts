/**
 * 1. The error border: whatever was thrown -> a `Status` and its HTTP code.
 *
 * `ApiError`s are answers; fastify's own refusals are translated; anything else is a defect of ours: 500, logged once
 * with the request id, its details kept out of the answer.
 */
import type { Socket } from 'node:net';
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

/** Of a success; its code is that of the answer. */
export type SuccessStatus = Omit<Status, 'code'>;

export const statusBytes = (status: Status): Buffer => Buffer.from(`${JSON.stringify(status)}\n`);

/** What a deletion that left nothing behind answers. */
export const deletedStatus = (subject: {
  name: string;
  group: string;
  kind: string;
  uid: string | undefined;
}): SuccessStatus => ({
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
});

const connectionErrors: Readonly<Record<string, { line: string; message: string }>> = {
  HPE_HEADER_OVERFLOW: {
    line: '431 Request Header Fields Too Large',
    message: 'the request headers are too large',
  },
  ERR_HTTP_REQUEST_TIMEOUT: { line: '408 Request Timeout', message: 'the request did not arrive in time' },
};

/**
 * What never became a request (broken, too slow, headers too large) is answered on the bare socket, then closed, whether or
 * not the other side closes its end.
 */
export function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const fallback = { line: '400 Bad Request', message: 'this is not a valid HTTP request' };
  const { line, message } = connectionErrors[error.code ?? ''] ?? fallback;
  const code = Number(line.slice(0, 3));
  const status: Status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason: 'BadRequest',
    code,
  };
  const body = statusBytes(status);
  const head = `HTTP/1.1 ${line}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`;
  socket.write(Buffer.concat([Buffer.from(head), body]));
  socket.destroySoon();
}
