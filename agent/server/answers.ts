/**
 * Answers of the agent's API on a request and on a connection that was to be upgraded. Called by server.ts.
 */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError, internalError } from '../../src/api/errors.js';
import { RuntimeError } from '../runtime/runtime.js';

/** Anything thrown as the error the API would answer; a runtime that is away is 503, not a defect of ours. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof RuntimeError && error.kind === 'unavailable') {
    return new ApiError('ServiceUnavailable', error.message, undefined, { cause: error });
  }
  return internalError(error);
}

export function answerJson(response: ServerResponse, code: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(code, { 'content-type': 'application/json', 'content-length': bytes.length }).end(bytes);
}

/** With the status line already out, only a cut connection tells the client that something is missing. */
export function answerError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy();
  else {
    const status = toApiError(error).toStatus();
    answerJson(response, status.code, status);
  }
}

/** An upgrade that is refused gets an ordinary answer, so that clients can print why. */
export function refuseUpgrade(socket: Duplex, error: unknown): void {
  const status = toApiError(error).toStatus();
  const body = JSON.stringify(status);
  const head = [
    `HTTP/1.1 ${status.code} ${STATUS_CODES[status.code] ?? 'Error'}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
