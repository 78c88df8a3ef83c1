/**
 * One HTTP check. Success is 200 to 399. Redirects on the same host are followed, up to ten; one that leads to another
 * host counts as success without being followed, with a warning (as documented for HTTP probes). Certificates are not
 * verified, connections are not kept, at most 10 KB of the answer are read.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { HTTPGetAction } from '../../src/api/types.js';
import type { CheckResult } from './runner.js';

/** The version is that of the API we follow. */
export const probeUserAgent = 'kube-probe/1.36';

const maxRedirects = 10;
/** What clients follow; other 3xx are answers. */
const redirectCodes: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
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
  const originalHost = url.hostname;
  const headers = headersOf(action);
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    const { status, location, body } = await get(url, headers, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      const why = error instanceof Error ? wording(error, `${host}:${port}`) : String(error);
      return { status: 0, location: undefined, body: `Get "${url.href}": ${why}` };
    });
    if (status === 0) return { success: false, output: body };
    if (location === undefined || !redirectCodes.has(status)) {
      const success = status >= 200 && status < 400;
      return { success, output: success ? body : `HTTP probe failed with statuscode: ${status}` };
    }
    const next = new URL(location, url);
    if (next.hostname !== originalHost)
      return {
        success: true,
        isWarning: true,
        output: `Probe terminated redirects, Response body: ${body}`,
      };
    // An absolute redirect names its host itself.
    if (URL.canParse(location)) delete headers['Host'];
    url = next;
  }
  return { success: false, output: `Get "${url.href}": stopped after 10 redirects` };
}

const wording = (error: Error & { code?: string }, address: string): string =>
  error.code === 'ECONNREFUSED' ? `dial tcp ${address}: connect: connection refused` : error.message;

/**
 * A header of the probe takes the place of ours of that name; one that comes several times is sent several times. An
 * empty `User-Agent` or `Accept` sends none.
 */
function headersOf(action: HTTPGetAction): Record<string, string | string[]> {
  const headers = new Map<string, { name: string; values: string[] }>();
  for (const { name, value = '' } of action.httpHeaders ?? []) {
    const known = headers.get(name.toLowerCase());
    if (known) known.values.push(value);
    else headers.set(name.toLowerCase(), { name, values: [value] });
  }
  const own = { 'User-Agent': probeUserAgent, Accept: '*/*', Connection: 'close' };
  const result: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(own)) if (!headers.has(name.toLowerCase())) result[name] = value;
  for (const [key, { name, values }] of headers) {
    if (key === 'host') result['Host'] = values.at(-1) ?? '';
    else if (values.some(Boolean) || !['user-agent', 'accept'].includes(key))
      result[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return result;
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
