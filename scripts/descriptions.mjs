/**
 * Writes `dist/src/api/descriptions.json`: what the API's types and fields are for, as `kubectl explain` prints it. Run by
 * the build; taken from the doc comments of the pinned npm package, so that none of that text is in this repository.
 *
 * `{ "V1PodSpec": ["text of the type", { "containers": "text of the field" }] }`
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const models = join(root, 'node_modules/@kubernetes/client-node/dist/gen/models');

/** The text between the comment marks, on one line. */
const plain = (comment) =>
  comment
    .replace(/^\s*\*\s?/gm, '')
    .replace(/\\(['"`\\])/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();

function describe(text) {
  const type = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*export declare class \w+/.exec(text)?.[1];
  const fields = [...text.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*'(_?)([^']+)'\??:/g)].map(
    ([, comment = '', , name]) => [
      name.replace(/^x_kubernetes_.*/, (text) => text.replaceAll('_', '-')),
      plain(comment),
    ],
  );
  return [type ? plain(type) : '', Object.fromEntries(fields)];
}

const entries = readdirSync(models)
  .filter((file) => /^[A-Z]\w*\.d\.ts$/.test(file))
  .map((file) => [file.slice(0, -'.d.ts'.length), describe(readFileSync(join(models, file), 'utf8'))])
  .filter(([, [type, fields]]) => type !== '' || Object.keys(fields).length > 0);
const folder = join(root, 'dist/src/api');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'descriptions.json'), JSON.stringify(Object.fromEntries(entries)));
