import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { admitAll } from '../registry/admission.js';
import { type BuiltIn, chosen, pluginFlags } from './choice.js';
import { readPluginConfiguration } from './configuration.js';

const create = () => admitAll;
const plugins: readonly BuiltIn[] = [
  { name: 'PodSecurity', create },
  { name: 'AlwaysPullImages', create, isOptional: true },
];

t.test('which plugins run', async (t) => {
  const running = (enableAdmissionPlugins: string, disableAdmissionPlugins: string): string[] =>
    plugins
      .filter(chosen(pluginFlags({ enableAdmissionPlugins, disableAdmissionPlugins }), plugins))
      .map(({ name }) => name);
  t.strictSame(running('', ''), ['PodSecurity']);
  t.strictSame(running('AlwaysPullImages, NamespaceLifecycle', ''), ['PodSecurity', 'AlwaysPullImages']);
  t.strictSame(running('AlwaysPullImages', 'PodSecurity'), ['AlwaysPullImages']);
  const wrong: [string, string, RegExp][] = [
    [
      'PodSecurty',
      '',
      /^--enable-admission-plugins: "PodSecurty" is no admission plugin; there are AlwaysPullImages, /,
    ],
    ['', 'x', /^--disable-admission-plugins: "x" is no admission plugin/],
    ['', 'NamespaceLifecycle', /"NamespaceLifecycle" cannot be switched off$/],
    ['PodSecurity', 'PodSecurity', /"PodSecurity" is enabled as well$/],
  ];
  for (const [enable, disable, message] of wrong) t.throws(() => running(enable, disable), { message });
});

t.test('the file that configures plugins', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-admission-'));
  const read = async (text: string) => {
    await writeFile(join(directory, 'admission.yaml'), text);
    return readPluginConfiguration(join(directory, 'admission.yaml'), ['PodSecurity', 'EventRateLimit']);
  };
  const head = 'apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n';
  await writeFile(join(directory, 'events.yaml'), 'limits: []');
  const both =
    'plugins: [{name: PodSecurity, configuration: {a: 1}}, {name: EventRateLimit, path: events.yaml}]';
  t.strictSame(
    [...(await read(head + both))],
    [
      ['PodSecurity', { a: 1 }],
      ['EventRateLimit', { limits: [] }],
    ],
  );
  t.equal((await readPluginConfiguration(undefined, [])).size, 0);
  const wrong: [string, RegExp][] = [
    ['kind: Other', /must be of kind AdmissionConfiguration/],
    [`${head}plugin: []`, /AdmissionConfiguration has no field "plugin"; it has apiVersion, kind, plugins/],
    [`${head}plugins: {}`, /plugins must be a list/],
    [
      `${head}plugins: [{name: ImagePolicyWebhook}]`,
      /"ImagePolicyWebhook" takes no configuration; PodSecurity, EventRateLimit do/,
    ],
    [`${head}plugins: [{name: PodSecurity}, {name: PodSecurity}]`, /PodSecurity is configured twice/],
    [`${head}plugins: [{name: PodSecurity, path: gone.yaml}]`, /^--admission-control-config-file: .*ENOENT/],
  ];
  for (const [text, message] of wrong) await t.rejects(read(text), { message });
});
