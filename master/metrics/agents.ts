/**
 * Asks an agent for its `/stats/summary`, over the link that logs and exec use. Called by `usage.ts` for every question.
 */
import type { Readable } from 'node:stream';
import { ApiError } from '../../src/api/errors.js';
import type { Node } from '../../src/api/types.js';
import type { AgentLink } from '../http/agentlink.js';
import type { Summary } from './summary.js';

/** More than any node has to say: some hundred bytes per container. */
const maxAnswerBytes = 16 * 1024 * 1024;

export const summaryFetcher =
  (link: Pick<AgentLink, 'get'>) =>
  async (node: Node, signal: AbortSignal): Promise<Summary> => {
    const path = '/stats/summary?only_cpu_and_memory=true';
    const text = await readAll(await link.get({ node, path, signal }));
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null)
      throw new ApiError('ServiceUnavailable', 'the agent did not answer a summary');
    return value;
  };

async function readAll(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxAnswerBytes) throw new ApiError('ServiceUnavailable', 'the agent answers without end');
  }
  return Buffer.concat(chunks).toString('utf8');
}
