/**
 * One gRPC check: `Check` of `grpc.health.v1.Health`, without TLS, at the pod's own address, as documented for gRPC
 * probes. Wording is that of kubelet.
 *
 * One call of a fixed shape over HTTP/2, without the gRPC library: that keeps a connection that is never answered open
 * when it is told to close. The connection ends with the check, whatever the other side does.
 */
import { connect, constants, type IncomingHttpHeaders } from 'node:http2';
import type { GRPCAction } from '../../src/api/types.js';
import { probeUserAgent } from './http.js';
import type { CheckResult } from './runner.js';

const path = '/grpc.health.v1.Health/Check';
const serving = 1;
/** `ServingStatus` of the protocol. */
const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const unimplemented = 12;
const maxAnswerBytes = 10 * 1024;

interface Target {
  podIp: string;
  port: number;
  timeoutMs: number;
}

/** How the call ended: gRPC's code (0 for ok) with its words, and the answer. */
interface Outcome {
  code: number;
  message: string;
  body: Buffer;
}

/** `signal` ends it: a connection, or an answer, that takes too long. Never rejects. */
export async function grpcCheck(
  action: GRPCAction,
  { podIp, port, timeoutMs }: Target,
  signal: AbortSignal,
): Promise<CheckResult> {
  const address = podIp.includes(':') ? `[${podIp}]:${port}` : `${podIp}:${port}`;
  const within = `within ${timeoutMs / 1000}s`;
  /** Whether the other side speaks HTTP/2. */
  let isConnected = false;
  const onConnect = (): void => {
    isConnected = true;
  };
  try {
    const outcome = await call(address, frame(encodeRequest(action.service ?? '')), { onConnect, signal });
    return judge(outcome);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (isConnected)
      return failure(
        signal.aborted
          ? `timeout: health rpc did not complete ${within}`
          : `error: health rpc probe failed: ${why}`,
      );
    const what = JSON.stringify(address);
    return failure(
      signal.aborted
        ? `timeout: failed to connect service ${what} ${within}: context deadline exceeded`
        : `error: failed to connect service at ${what}: ${why}`,
    );
  }
}

const failure = (output: string): CheckResult => ({ success: false, output });

function judge({ code, message, body }: Outcome): CheckResult {
  if (code === unimplemented)
    return failure(
      `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${message}`,
    );
  if (code !== 0)
    return failure(`error: health rpc probe failed: rpc error: code = ${code} desc = ${message}`);
  const status = statusIn(body);
  if (status === serving) return { success: true, output: 'service healthy' };
  const name = statusNames[status] ?? String(status);
  return failure(`service unhealthy (responded with ${JSON.stringify(name)})`);
}

interface CallOptions {
  onConnect(): void;
  signal: AbortSignal;
}

function call(address: string, message: Buffer, { onConnect, signal }: CallOptions): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${address}`);
    const end = (): void => {
      signal.removeEventListener('abort', abort);
      session.destroy();
    };
    const fail = (error: Error): void => {
      reject(error);
      end();
    };
    const abort = (): void => fail(new Error('aborted'));
    // An error may still come after the end, when nobody is interested any more.
    session.on('error', (error) => fail(connectionError(error)));
    session.once('remoteSettings', onConnect);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) return abort();

    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      'content-type': 'application/grpc',
      'user-agent': probeUserAgent,
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    let size = 0;
    let headers: IncomingHttpHeaders = {};
    // Of a connection that fails the stream knows first, in words of its own around the cause.
    stream.on('error', (error) => fail(connectionError(error.cause instanceof Error ? error.cause : error)));
    stream.on('response', (received) => {
      headers = received;
    });
    stream.on('trailers', (received) => {
      headers = { ...headers, ...received };
    });
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxAnswerBytes) fail(new Error('the answer is too long'));
      else chunks.push(chunk);
    });
    stream.once('close', () => {
      resolve(outcomeOf(headers, Buffer.concat(chunks)));
      end();
    });
    stream.end(message);
  });
}

function outcomeOf(headers: IncomingHttpHeaders, body: Buffer): Outcome {
  const http = headers[':status'];
  const code = headers['grpc-status'];
  const message = String(headers['grpc-message'] ?? '');
  if (code !== undefined) return { code: Number(code), message: decodeURIComponent(message), body };
  const notFound = String(http) === '404';
  return {
    code: notFound ? unimplemented : 2,
    message: http === undefined ? 'the stream was reset' : `unexpected HTTP status code ${http}`,
    body,
  };
}

const connectionError = (error: Error & { code?: string }): Error =>
  error.code === 'ECONNREFUSED' ? new Error('connect: connection refused', { cause: error }) : error;

/** A message as gRPC puts it on the wire: not compressed, its length, its bytes. */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** `message HealthCheckRequest { string service = 1; }` */
function encodeRequest(service: string): Buffer {
  const text = Buffer.from(service);
  if (text.length === 0) return text;
  const length: number[] = [];
  for (let rest = text.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.of(0x0a, ...length), text]);
}

/** `message HealthCheckResponse { ServingStatus status = 1; }` in its frame; nothing means 0. */
function statusIn(body: Buffer): number {
  const message = body.subarray(5);
  return message[0] === 0x08 ? (message[1] ?? 0) : 0;
}
