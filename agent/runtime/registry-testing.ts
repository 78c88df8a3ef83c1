/**
 * A container registry in a few lines, on plain HTTP on 127.0.0.1, where Docker accepts that: one image, optionally
 * behind a login. For tests of pulls where no real registry can be reached. Imported by tests only.
 */
import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TestRegistry {
  /** `127.0.0.1:port` */
  host: string;
  /** Digest of the only manifest, of `app:1`. */
  digest: string;
  close(): Promise<void>;
}

const sha256 = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;

/** Serves `app:1`, whose only layer is this tar archive. `login` is `user:password`. */
export async function createTestRegistry(layer: Buffer, login?: string): Promise<TestRegistry> {
  const rootfs = { type: 'layers', diff_ids: [sha256(layer)] };
  const imageConfig = { architecture: 'amd64', os: 'linux', config: { User: '1234' }, rootfs, history: [{}] };
  const config = Buffer.from(JSON.stringify(imageConfig));
  const describe = (data: Buffer, mediaType: string): object => ({
    mediaType,
    size: data.length,
    digest: sha256(data),
  });
  const type = 'application/vnd.docker.distribution.manifest.v2+json';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: type,
      config: describe(config, 'application/vnd.docker.container.image.v1+json'),
      layers: [describe(layer, 'application/vnd.docker.image.rootfs.diff.tar')],
    }),
  );
  const blobs = new Map([config, layer].map((data) => [sha256(data), data]));
  const digest = sha256(manifest);

  function answer(path: string, response: ServerResponse): void {
    const [, kind, reference = ''] = /^\/v2\/app\/(manifests|blobs)\/(.+)$/.exec(path) ?? [];
    const blob = kind === 'blobs' ? blobs.get(reference) : undefined;
    if (path === '/v2/') response.end();
    else if (kind === 'manifests' && ['1', digest].includes(reference)) {
      response.writeHead(200, {
        'content-type': type,
        'docker-content-digest': digest,
        'content-length': manifest.length,
      });
      response.end(manifest);
    } else if (blob) response.writeHead(200, { 'content-length': blob.length }).end(blob);
    else response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
  }

  const wanted = login === undefined ? undefined : `Basic ${Buffer.from(login).toString('base64')}`;
  const server = createServer((request, response) => {
    if (wanted === undefined || request.headers.authorization === wanted) answer(request.url ?? '', response);
    else response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    digest,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
