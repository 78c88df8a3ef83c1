/**
 * 1. Reads a request body into one buffer, up to the limit. What is too large is read on and thrown away for a while,
 * so that the client gets to see the 413 instead of a broken connection.
 */
import type { Readable } from 'node:stream';
import { ApiError, badRequest } from '../../src/api/errors.js';
import { maxBodyBytes } from './body.js';

/** A client that sends more than this after the limit is cut off. */
const maxDiscardBytes = 64 * 1024 * 1024;

const empty = Buffer.alloc(0);

export function receiveBody(payload: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    payload.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBodyBytes) chunks.push(chunk);
      else chunks.length = 0;
      if (size > maxDiscardBytes) payload.destroy();
    });
    payload.on('end', () => {
      if (size > maxBodyBytes) reject(tooLarge());
      else resolve(chunks.length === 1 ? (chunks[0] ?? empty) : Buffer.concat(chunks));
    });
    payload.on('error', (error) => reject(badRequest('the request body ended early', error)));
    payload.on('close', () => {
      if (!payload.readableEnded)
        reject(size > maxBodyBytes ? tooLarge() : badRequest('the request body ended early'));
    });
  });
}

const tooLarge = (): ApiError =>
  new ApiError('RequestEntityTooLarge', `Request entity too large: limit is ${maxBodyBytes}`);
