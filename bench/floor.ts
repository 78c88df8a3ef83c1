/**
 * The floors of `api.ts`, as a process of its own: bare Node TLS servers that do the least a server could. Started with
 * a JSON line of keys on stdin, prints its port. `GET /bytes/<n>` sends n ready bytes, any other method parses and
 * echoes, `GET /watch` streams whatever `POST /emit` sends to every watcher.
 */
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline';

interface Start {
  cert: string;
  key: string;
  ca: string;
}

const watchers = new Set<ServerResponse>();
const newline = Buffer.from('\n');
const ready = new Map<number, Buffer>();

function readyBytes(size: number): Buffer {
  const known = ready.get(size) ?? Buffer.alloc(size, 0x78);
  ready.set(size, known);
  return known;
}

function serve({ cert, key, ca }: Start): void {
  const server = createServer(
    { cert, key, ca, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const headers = { 'content-type': 'application/json' };
      if (request.method === 'GET' && request.url === '/watch') {
        watchers.add(response);
        response.writeHead(200, headers).flushHeaders();
        response.on('close', () => watchers.delete(response));
      } else if (request.method === 'GET') {
        const body = readyBytes(Number(request.url?.split('/').at(-1)));
        response.writeHead(200, { ...headers, 'content-length': body.length }).end(body);
      } else {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          const body = Buffer.from(JSON.stringify(JSON.parse(Buffer.concat(chunks).toString('utf8'))));
          if (request.url === '/emit') {
            const line = Buffer.concat([body, newline]);
            for (const watcher of watchers) watcher.write(line);
          }
          response.writeHead(200, { ...headers, 'content-length': body.length }).end(body);
        });
      }
    },
  );
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`${JSON.stringify(server.address())}\n`);
  });
}

createInterface({ input: process.stdin }).once('line', (line) => serve(JSON.parse(line) as Start));
