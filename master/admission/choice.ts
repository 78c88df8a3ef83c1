/**
 * 2. Which of the built-in admission plugins run: all but those that Kubernetes leaves off as well, unless
 * `--enable-admission-plugins` and `--disable-admission-plugins` say else. Pure. Called by `builtin.ts`.
 */
import { given, type RawFlags } from '../../src/host/config.js';
import type { Admission } from '../registry/admission.js';
import type { PluginDeps } from './plugin.js';

export interface BuiltIn {
  /** As kube-apiserver calls it. */
  name: string;
  create(deps: PluginDeps): Admission;
  /** Runs only where `--enable-admission-plugins` names it. */
  isOptional?: true;
  /** Reads `configuration` of its deps. */
  isConfigurable?: true;
}

/** Part of the registry or of the chain: whoever names them gets them. */
const alwaysOn: readonly string[] = [
  'NamespaceLifecycle',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionWebhook',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionWebhook',
];

export interface PluginChoice {
  enabled: readonly string[];
  disabled: readonly string[];
}

export const pluginFlags = (raw: RawFlags): PluginChoice => ({
  enabled: listOf(raw, 'enable-admission-plugins'),
  disabled: listOf(raw, 'disable-admission-plugins'),
});

const listOf = (raw: RawFlags, flag: string): string[] =>
  (given(raw, flag) ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

/** Throws an `Error` that names the flag when a plugin is unknown, always on, or both enabled and disabled. */
export function chosen(
  { enabled, disabled }: PluginChoice,
  plugins: readonly BuiltIn[],
): (plugin: BuiltIn) => boolean {
  const known = [...plugins.map(({ name }) => name), ...alwaysOn].sort();
  const requireKnown = (flag: string, names: readonly string[]): void => {
    for (const name of names)
      if (!known.includes(name))
        throw new Error(
          `--${flag}: ${JSON.stringify(name)} is no admission plugin; there are ${known.join(', ')}`,
        );
  };
  requireKnown('enable-admission-plugins', enabled);
  requireKnown('disable-admission-plugins', disabled);
  for (const name of disabled) {
    if (alwaysOn.includes(name))
      throw new Error(`--disable-admission-plugins: ${JSON.stringify(name)} cannot be switched off`);
    if (enabled.includes(name))
      throw new Error(`--disable-admission-plugins: ${JSON.stringify(name)} is enabled as well`);
  }
  return ({ name, isOptional = false }) =>
    !disabled.includes(name) && (!isOptional || enabled.includes(name));
}
