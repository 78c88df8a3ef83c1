import t from 'tap';
import { cpuMsOf } from '../../src/testing/cpu.js';
import { decodeBody } from './body.js';
import { checkYaml } from './yamlscan.js';

const decode = (text: string): unknown => decodeBody(Buffer.from(text), 'application/yaml', 'Pod');

t.test('what people write is let through', async (t) => {
  const script = '#!/bin/sh\nif [ -e "/x" ]; then echo "}}}"; fi\n';
  const text = [
    'a: [1, {b: "]"}, \'{\']',
    "c: don't [[[ }}} stop",
    'd:\n- - - x\n- ? key\n  : value',
    `e: |\n${script.replaceAll(/^/gm, '  ')}`,
    'f: &anchor !!str "1"\ng: *anchor',
    '"h": "i"\n"j":\n  "k"',
    `# ${'[{'.repeat(1000)}`,
    `l: ${'['.repeat(400)}${']'.repeat(400)}`,
  ].join('\n');
  t.doesNotThrow(() => checkYaml(text));
  t.match(decode(text), { a: [1, { b: ']' }, '{'], c: "don't [[[ }}} stop", f: '1', h: 'i', j: 'k' });
});

t.test('what would keep the parser busy, or kill it, is refused at once', async (t) => {
  const size = 3_000_000;
  const cases: Record<string, [string, RegExp]> = {
    'lists in lists': ['- '.repeat(size / 2), /nested more than|too many parts/],
    'lists in lists, few of them': ['- '.repeat(5_000), /nested more than/],
    'keys in keys': ['? '.repeat(5_000), /nested more than/],
    'one more indented than the other': [
      Array.from({ length: 1_200 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
      /nested more than/,
    ],
    brackets: [`a: ${'['.repeat(size)}`, /nested more than/],
    braces: ['{a: '.repeat(size / 4), /nested more than/],
    'brackets whose ends are text': ['[ "]" , '.repeat(size / 8), /nested more than/],
    'ends of nothing': ['}'.repeat(100_000), /closes nothing/],
    'the wrong ends': ['[}'.repeat(100_000), /closes nothing/],
    tags: [`a: ${'!!str '.repeat(50_000)}`, /too many tags and anchors/],
    'values without a separator': ['"a" "b" '.repeat(50_000), /nothing between/],
    'very many parts': ['a: b\n'.repeat(size / 5), /too many parts; send it as JSON/],
  };
  for (const [name, [text, reason]] of Object.entries(cases)) {
    const costMs = await cpuMsOf(() => t.throws(() => decode(text), { code: 400, message: reason }, name));
    t.ok(costMs < 10_000, `${name}: cheap`);
  }
});
