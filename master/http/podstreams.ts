/**
 * 1. `pods/log`, `pods/exec`, `pods/attach` and `pods/portforward`: find the pod and its node, then let the agent's API stream through.
 *
 * Called by `server.ts` after authorization. Nothing is buffered beyond what the slower side leaves unread.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { badRequest, isReason, notFound } from '../../src/api/errors.js';
import { nodes, pods, type ResourceType } from '../../src/api/kinds.js';
import type { Node, Pod } from '../../src/api/types.js';
import { join } from '../../src/host/join.js';
import type { Registry } from '../registry/registry.js';
import type { Resource } from '../resources/resource.js';
import type { AgentLink } from './agentlink.js';
import { logPath, type StreamVerb, streamPath } from './podtarget.js';
import { isTrue, type ResourceTarget } from './request.js';
import type { RequestScope } from './scope.js';
import type { StreamResponse } from './websocket.js';

export interface PodStreams {
  registry: Registry;
  link: AgentLink;
}

/** Sends the log of one container; an unscheduled pod has an empty one, as in Kubernetes. */
export async function streamLog(
  streams: PodStreams,
  target: ResourceTarget,
  scope: RequestScope,
  response: StreamResponse,
): Promise<void> {
  const pod = await readPod(streams.registry, target, scope);
  const path = logPath(pod, scope.info.query);
  const headers = { 'content-type': 'text/plain' };
  if (!pod.spec?.nodeName) {
    response.writeHead(200, headers);
    response.end();
    return;
  }
  const node = await readNode(streams.registry, pod.spec.nodeName, scope);
  const answer = await streams.link.get({
    node,
    path,
    signal: scope.signal,
    insecure: isTrue(scope.info.query, 'insecureSkipTLSVerifyBackend'),
  });
  response.writeHead(200, headers);
  response.flushHeaders();
  try {
    await pipeline(answer, response);
  } catch (error) {
    // The status line is out: the cut connection is all that can still tell the client.
    if (!response.destroyed) response.destroy(error instanceof Error ? error : undefined);
  }
}

/** Headers of the upgrade that concern the agent; credentials never go on. */
const passedHeaders = [
  'connection',
  'upgrade',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
  'x-stream-protocol-version',
];

/** Whether a request is for one of the streams that need an upgraded connection. */
export const isStream = (target: ResourceTarget): target is ResourceTarget & { subresource: StreamVerb } =>
  target.group === '' &&
  target.resource === 'pods' &&
  /^(?:exec|attach|portforward)$/.test(target.subresource);

/** Joins the client's upgraded connection with the agent's. Throws before the first byte went to the client. */
export async function tunnel(
  streams: PodStreams,
  target: ResourceTarget & { subresource: StreamVerb },
  scope: RequestScope,
  raw: IncomingMessage,
  client: { socket: Duplex; head: Buffer },
): Promise<void> {
  const pod = await readPod(streams.registry, target, scope);
  const path = streamPath(pod, target.subresource, scope.info.query);
  const node = await readNode(streams.registry, pod.spec?.nodeName ?? '', scope);
  const headers = Object.fromEntries(
    passedHeaders.flatMap((name) => (raw.headers[name] ? [[name, raw.headers[name]]] : [])),
  );
  const { response, socket, head } = await streams.link.upgrade({
    node,
    path,
    headers,
    signal: scope.signal,
  });
  client.socket.write(switchingProtocols(response));
  if (head.length > 0) client.socket.write(head);
  if (client.head.length > 0) socket.write(client.head);
  await join(client.socket, socket);
}

/** The 101 of the other side, as it came. */
export function switchingProtocols(response: IncomingMessage): string {
  const lines = ['HTTP/1.1 101 Switching Protocols'];
  for (let i = 0; i + 1 < response.rawHeaders.length; i += 2) {
    lines.push(`${response.rawHeaders[i]}: ${response.rawHeaders[i + 1]}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

async function readPod(registry: Registry, target: ResourceTarget, scope: RequestScope): Promise<Pod> {
  const ref = { namespace: target.namespace, name: target.name ?? '' };
  const { object } = await registry.get(rowOf(registry, pods), ref, scope);
  return object;
}

async function readNode(registry: Registry, name: string, scope: RequestScope): Promise<Node> {
  try {
    const { object } = await registry.get(rowOf(registry, nodes), { name }, scope);
    return object;
  } catch (error) {
    if (isReason(error, 'NotFound'))
      throw badRequest(`the pod's node ${JSON.stringify(name)} does not exist any more`, error);
    throw error;
  }
}

function rowOf<T extends Pod | Node>(registry: Registry, type: ResourceType<T>): Resource<T> {
  const row = registry.resources.of(type);
  if (!row) throw notFound({ group: '', resource: type.resource, name: '' });
  return row;
}
