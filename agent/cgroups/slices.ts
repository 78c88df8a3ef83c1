/**
 * Cgroups that belong to systemd (driver `systemd`): transient slices, made and limited over D-Bus with `busctl`, which
 * every host with systemd has. Called by manager.ts.
 *
 * A transient unit leaves no file behind and is gone when it is stopped. systemd itself makes the parents of a slice
 * from the dashes in its name; limits written to the files behind its back would be lost at its next reload.
 */
import type { Exec } from '../../src/host/exec.js';
import { ExecError } from '../../src/host/exec.js';
import {
  type CgroupLimits,
  type CgroupVersion,
  type Scope,
  type UnitProperty,
  unitProperties,
} from './files.js';

const manager = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'];

export class Slices {
  readonly #exec: Exec;
  readonly #version: CgroupVersion;

  constructor(exec: Exec, version: CgroupVersion) {
    this.#exec = exec;
    this.#version = version;
  }

  /** Starts the slice with these limits, or changes those of one that runs: the named ones or all. */
  async ensure(slice: string, limits: CgroupLimits, scope: Scope = 'named'): Promise<void> {
    const own = unitProperties(limits, this.#version);
    const fixed: UnitProperty[] = [
      ['Description', 's', 'pods of Wherry'],
      ['DefaultDependencies', 'b', 'false'],
      ['CPUAccounting', 'b', 'true'],
      ['MemoryAccounting', 'b', 'true'],
      ['TasksAccounting', 'b', 'true'],
    ];
    const start = [
      'StartTransientUnit',
      'ssa(sv)a(sa(sv))',
      slice,
      'replace',
      ...array([...fixed, ...own]),
      '0',
    ];
    const exists = await this.#call(start, /already exists|already loaded|has a fragment file/);
    const changed = exists ? unitProperties(limits, this.#version, scope) : [];
    if (changed.length > 0)
      await this.#call(['SetUnitProperties', 'sba(sv)', slice, 'true', ...array(changed)]);
  }

  /** Stops the slice and all slices below it. What does not run is no error. */
  async stop(slice: string): Promise<void> {
    await this.#call(['StopUnit', 'ss', slice, 'replace'], /not loaded/);
  }

  /** True when systemd answered with an error that `expected` allows. */
  async #call(args: readonly string[], expected?: RegExp): Promise<boolean> {
    const command = ['--system', 'call', ...manager, ...args];
    const result = await this.#exec('busctl', command);
    if (result.code === 0) return false;
    if (expected?.test(result.stderr)) return true;
    throw new ExecError('busctl', command, result);
  }
}

/** An `a(sv)`: how many, then name, type and value of each. */
const array = (properties: readonly UnitProperty[]): string[] => [
  `${properties.length}`,
  ...properties.flat(),
];
