/**
 * A process in a pod's network namespace that opens connections there and hands them to the agent: a socket belongs to
 * the namespace it was made in, whoever holds it. Started by netns.ts through nsenter; ends with the agent.
 */
import { connect, type Socket } from 'node:net';
import type { DialAnswer, DialRequest } from './netns.js';

const answer = (message: DialAnswer, socket?: Socket): void => {
  // A failure means that the agent is gone, which `disconnect` tells.
  process.send?.(message, socket, {}, () => undefined);
};

function dial({ id, host, port }: DialRequest): void {
  const socket = connect({ host, port });
  // What the program says first is for the agent to read.
  socket.pause();
  socket.once('connect', () => answer({ id }, socket));
  socket.on('error', (error: NodeJS.ErrnoException) =>
    answer({ id, error: { code: error.code ?? '', message: error.message } }),
  );
}

process.on('message', (message) => dial(message as DialRequest));
process.on('disconnect', () => process.exit(0));
