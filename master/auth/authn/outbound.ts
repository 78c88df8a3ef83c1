/**
 * JSON over HTTPS from servers that the operator's options name: outside issuers and the token webhook. An exchange ends
 * with its time limit or when the answer grows too large; redirects are not followed. Errors name the URL, never what was sent.
 */
import { Agent, request } from 'undici';
import type { Clock } from '../../../src/host/clock.js';

export interface OutboundOptions {
  /** PEM: who signs the server's certificate; the host's authorities when absent. */
  ca?: string | undefined;
  /** PEM: what we show. */
  cert?: string | undefined;
  key?: string | undefined;
  timeoutMs: number;
  clock: Pick<Clock, 'after'>;
}

export interface Outbound {
  /** What a 200 or 201 holds. Rejects with an `Error` whose message can be logged. */
  json(url: string, send?: { body: unknown; token?: string | undefined }): Promise<unknown>;
  close(): Promise<void>;
}

const maxBytes = 1024 * 1024;
/** Answers of 1xx. */
const maxHints = 16;

export function createOutbound({ clock, timeoutMs, ca, cert, key }: OutboundOptions): Outbound {
  const agent = new Agent({
    connect: { timeout: timeoutMs, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: maxBytes,
    connections: 16,
  });
  return {
    async json(url, send) {
      const ending = new AbortController();
      const cancel = clock.after(timeoutMs, () =>
        ending.abort(new Error(`no answer within ${timeoutMs} ms`)),
      );
      try {
        let hints = 0;
        const answer = await request(url, {
          // Of what may come before an answer, thousands a second would keep us from everything else.
          onInfo() {
            hints += 1;
            if (hints > maxHints) ending.abort(new Error('hints and no answer'));
          },
          dispatcher: agent,
          signal: ending.signal,
          method: send ? 'POST' : 'GET',
          headers: {
            accept: 'application/json',
            ...(send && { 'content-type': 'application/json' }),
            ...(send?.token && { authorization: `Bearer ${send.token}` }),
          },
          body: send ? JSON.stringify(send.body) : null,
        });
        const text = await answer.body.text();
        if (answer.statusCode !== 200 && answer.statusCode !== 201)
          throw new Error(`answered ${answer.statusCode}`);
        return JSON.parse(text) as unknown;
      } catch (error) {
        throw new Error(`${url}: ${whyOf(error)}`);
      } finally {
        cancel();
      }
    },
    close: () => agent.destroy(),
  };
}

/** The answer of a broken server may hold anything, so what a parser says of it is left out. */
const whyOf = (error: unknown): string =>
  error instanceof SyntaxError ? 'answered no JSON' : error instanceof Error ? error.message : String(error);
