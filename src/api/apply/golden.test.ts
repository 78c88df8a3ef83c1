/**
 * Sequences of applies and updates, made at random, with what structured-merge-diff (through apimachinery 0.36) made of
 * them: objects, owners and errors.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { builtinSchema } from '../schema/table.js';
import { apply, changesBetween } from './apply.js';
import { isSame } from './compare.js';
import { misfitsOf, misfitsText } from './configuration.js';
import { ApplyConflict } from './conflict.js';
import { createdText } from './created.js';
import { managedText, type Owner, readManaged } from './managed.js';
import { StructShape, shapeOf } from './shape.js';
import { trackUpdate, type Versions } from './track.js';
import { typeNames } from './untracked.js';

interface Case {
  group: string;
  version: string;
  kind: string;
  untyped: boolean;
  ops: Op[];
}
interface Op {
  do: 'apply' | 'update';
  manager: string;
  force: boolean;
  object: object;
  want: { error: string; object: object; owners: object[] };
}

// The data is beside the source; the compiled test is elsewhere.
const file = fileURLToPath(new URL('./golden.jsonl', import.meta.url)).replace('/dist/', '/');
const cases = readFileSync(file, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line): Case => JSON.parse(line));
const untyped = new StructShape({ preservesUnknown: true, isCustom: true }, () => new Map());
const time = '2026-01-01T00:00:00Z';
const skip: ReadonlySet<string> = new Set();

function shapeOfCase({ group, version, kind, untyped: isUntyped }: Case): StructShape {
  const type = builtinSchema.typeOf({ group, version, kind });
  if (isUntyped) return untyped;
  if (!type) throw new Error(`${kind} is not in the schema`);
  return shapeOf(type, false);
}

class World {
  live: object;
  managed: string | undefined;
  readonly #case: Case;
  readonly #shape: StructShape;
  readonly #apiVersion: string;

  constructor(one: Case) {
    this.#case = one;
    this.#shape = shapeOfCase(one);
    this.#apiVersion = one.group ? `${one.group}/${one.version}` : one.version;
    this.live = { apiVersion: this.#apiVersion, kind: one.kind };
  }

  async run(op: Op): Promise<string> {
    try {
      if (op.do === 'apply') await this.#apply(op);
      else await this.#update(op);
      return '';
    } catch (error) {
      if (error instanceof ApplyConflict) return error.toApiError().message;
      if (error instanceof Error) return error.message;
      throw error;
    }
  }

  get #versions(): Versions {
    return {
      shape: (version) => (version === this.#apiVersion ? this.#shape : undefined),
      convert: (object) => object,
    };
  }

  async #apply({ object, manager, force }: Op): Promise<void> {
    const { group, version, kind } = this.#case;
    const misfits = misfitsOf(this.#shape, object);
    if (misfits.length > 0) {
      const type = `${group}/${version}, Kind=${kind}`;
      throw new Error(`failed to create typed patch object (d/n; ${type}): ${misfitsText(misfits)}`);
    }
    const applied = await apply({
      ...{ live: this.live, entries: readManaged(this.managed), config: object, force, time, skip },
      owner: { manager, operation: 'Apply', apiVersion: this.#apiVersion, subresource: undefined },
      versions: this.#versions,
    });
    this.live = applied.object ?? this.live;
    this.managed = managedText(applied.entries);
  }

  async #update({ object, manager }: Op): Promise<void> {
    const isNew = !('metadata' in this.live);
    if (isNew || this.managed !== undefined) {
      const versions = this.#versions;
      const owner: Owner = {
        ...{ manager, operation: 'Update' as const },
        ...{ apiVersion: this.#apiVersion, subresource: undefined },
      };
      const before = readManaged(this.managed);
      const all = [...before, { ...owner, time, fields: {} }];
      const changesIn = await changesBetween(this.live, object, { entries: all, versions, skip });
      const entries = trackUpdate(before, { owner, time, versions, changesIn });
      this.managed = managedText(entries);
      const [only] = readManaged(this.managed);
      if (isNew) t.equal(createdText(this.#shape, object, typeNames), JSON.stringify(only?.fields ?? {}));
    }
    this.live = object;
  }
}

const lines = (text: string): string[] => text.split('\n').sort();

for (const [i, one] of cases.entries()) {
  t.test(`golden sequence ${i} of ${one.kind}`, async (t) => {
    const world = new World(one);
    for (const op of one.ops) {
      t.same(lines(await world.run(op)), lines(op.want.error), `${op.do} by ${op.manager}`);
      t.ok(isSame(world.live, op.want.object), 'the object');
      const owners = readManaged(world.managed).map(
        ({ fields, time: _time, subresource: _sub, stored: _stored, ...owner }) => ({
          ...owner,
          fieldsV1: fields,
        }),
      );
      t.same(owners, op.want.owners, 'the owners');
    }
  });
}
