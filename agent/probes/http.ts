/**
 * One HTTP check. Success is 200 to 399. Redirects on the same host are followed, up to ten; one that leads to another
 * host counts as success without being followed (as documented for HTTP probes). Certificates are not verified.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { HTTPGetAction } from '../../src/api/types.js';
import type { CheckResult } from './runner.js';

const maxRedirects = 10;
const maxBodyBytes = 10 * 1024;

export async function httpGet(
  action: HTTPGetAction,
  podIp: string,
  port: number,
  signal: AbortSignal,
): Promise<CheckResult> {
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  const host = action.host || podIp;
  const path = action.path || '/';
  const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  let url = new URL(`${scheme}://${authority}${path.startsWith('/') ? path : `/${path}`}`);
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    const { status, location, body } = await get(url, headersOf(action), signal).catch((error: unknown) => {
      signal.throwIfAborted();
      const why = error instanceof Error ? wording(error, `${host}:${port}`) : String(error);
      return { status: 0, location: undefined, body: `Get "${url.href}": ${why}` };
    });
    if (status === 0) return { success: false, output: body };
    if (location === undefined || status < 300 || status > 399) {
      const success = status >= 200 && status < 400;
      return { success, output: success ? body : `HTTP probe failed with statuscode: ${status}` };
    }
    const next = new URL(location, url);
    if (next.hostname !== url.hostname)
      return { success: true, output: `Probe terminated redirects, Response body: ${body}` };
    url = next;
  }
  return { success: false, output: `Get "${url.href}": stopped after 10 redirects` };
}

const wording = (error: Error & { code?: string }, address: string): string =>
  error.code === 'ECONNREFUSED' ? `dial tcp ${address}: connect: connection refused` : error.message;

function headersOf(action: HTTPGetAction): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {
    'User-Agent': 'kube-probe/1.36',
    Accept: '*/*',
    Connection: 'close',
  };
  for (const { name, value } of action.httpHeaders ?? []) {
    const known = Object.keys(headers).find((key) => key.toLowerCase() === name.toLowerCase()) ?? name;
    // An empty value removes a header of ours, as documented for `Accept` and `User-Agent`.
    if (value === '') delete headers[known];
    else headers[known] = value;
  }
  return headers;
}

function get(
  url: URL,
  headers: Record<string, string | string[]>,
  signal: AbortSignal,
): Promise<{ status: number; location: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const options: RequestOptions & { rejectUnauthorized?: boolean } = {
      method: 'GET',
      headers,
      signal,
      agent: false,
    };
    const isHttps = url.protocol === 'https:';
    const onResponse = (response: IncomingMessage): void => {
      const chunks: Buffer[] = [];
      let size = 0;
      const finish = (): void => {
        const body = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, location: response.headers.location, body });
      };
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk.subarray(0, Math.max(maxBodyBytes - size, 0)));
        size += chunk.length;
        if (size < maxBodyBytes) return;
        finish();
        response.destroy();
      });
      response.once('end', finish);
      response.once('error', reject);
    };
    const request = isHttps
      ? httpsRequest(url, { ...options, rejectUnauthorized: false }, onResponse)
      : httpRequest(url, options, onResponse);
    request.once('error', reject);
    request.end();
  });
}
