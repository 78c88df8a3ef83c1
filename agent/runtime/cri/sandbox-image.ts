/**
 * 8. Makes the built-in sandbox image present in containerd, under the name that its CRI plugin asks for, so that nothing
 * is pulled to start a pod. Used by cri.ts.
 *
 * CRI can only pull. So the image is written into containerd's content store as layer, configuration and manifest, and
 * given its name; the CRI plugin takes notice of it by an event. An image that has the name already stays.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../../src/host/clock.js';
import { RuntimeError } from '../runtime.js';
import { type Architecture, sandboxArchive, sandboxCommand } from '../sandbox-image.js';
import { type CriClient, deadlines } from './client.js';
import { isKind } from './errors.js';

interface Blob {
  mediaType: string;
  data: Buffer;
  digest: string;
}

const blob = (mediaType: string, data: Buffer): Blob => ({
  mediaType,
  data,
  digest: `sha256:${createHash('sha256').update(data).digest('hex')}`,
});

const describe = ({ mediaType, data, digest }: Blob) => ({ mediaType, digest, size: data.length });

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** Resolves when the CRI plugin knows the image. */
export async function ensureSandboxImage(client: CriClient, name: string, clock: Clock): Promise<void> {
  if (await isPresent(client, name)) return;
  const architecture = architectureOf(process.arch);
  await writeImage(
    client,
    {
      name,
      architecture,
      layer: sandboxArchive(architecture),
      config: { Entrypoint: [sandboxCommand], User: '65535:65535' },
      labels: { 'io.cri-containerd.pinned': 'pinned' },
    },
    clock,
  );
}

export interface LocalImage {
  /** With host and tag. */
  name: string;
  architecture: Architecture;
  /** The only layer, a tar archive. */
  layer: Buffer;
  /** As `config` of an OCI image. */
  config: object;
  labels: Record<string, string>;
}

/** Writes an image of one layer into containerd; resolves when the CRI plugin knows it. */
export async function writeImage(client: CriClient, image: LocalImage, clock: Clock): Promise<void> {
  const layer = blob('application/vnd.oci.image.layer.v1.tar', image.layer);
  const rootfs = { type: 'layers', diff_ids: [layer.digest] };
  const description = { architecture: image.architecture, os: 'linux', config: image.config, rootfs };
  const config = blob('application/vnd.oci.image.config.v1+json', json(description));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const parts = { config: describe(config), layers: [describe(layer)] };
  const manifest = blob(mediaType, json({ schemaVersion: 2, mediaType, ...parts }));
  await write(client, layer, {});
  await write(client, config, {});
  await write(client, manifest, {
    'containerd.io/gc.ref.content.config': config.digest,
    'containerd.io/gc.ref.content.l.0': layer.digest,
  });
  const labels = { 'io.cri-containerd.image': 'managed', ...image.labels };
  const record = { name: image.name, labels, target: describe(manifest) };
  await unlessThere(client.call('imagesCreate', { image: record }, deadlines.slow));
  for (let tries = 0; tries < 100; tries += 1) {
    if (await isPresent(client, image.name)) return;
    await clock.sleep(50, new AbortController().signal);
  }
  throw new RuntimeError('failed', `the runtime takes no notice of the image ${image.name}`);
}

const isPresent = async (client: CriClient, name: string): Promise<boolean> =>
  (await client.call('imageStatus', { image: { image: name } }, deadlines.quick)).image !== null;

/** Nothing else of containerd refers to the blobs before the image does: as roots they are not collected meanwhile. */
async function write(client: CriClient, { data, digest }: Blob, refs: Record<string, string>): Promise<void> {
  const labels = { 'containerd.io/gc.root': new Date(0).toISOString(), ...refs };
  const size = { total: data.length, expected: digest };
  const request = { action: 'COMMIT', ref: `wherry-${digest}`, offset: 0, data, ...size, labels } as const;
  await unlessThere(client.exchange('contentWrite', request, deadlines.slow));
}

async function unlessThere(call: Promise<unknown>): Promise<void> {
  await call.catch((error: unknown) => {
    if (!isKind(error, 'conflict')) throw error;
  });
}

function architectureOf(name: string): Architecture {
  if (name === 'x64') return 'amd64';
  if (name === 'arm64') return 'arm64';
  throw new RuntimeError('invalid', `there is no sandbox program for the architecture ${name}`);
}
