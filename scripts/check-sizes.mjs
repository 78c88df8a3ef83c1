/**
 * `npm run check:sizes`: files stay small enough to read. Median <= 120 lines, none above 500; generated files and
 * tables of data are exempt. Prints the figures, so that a review sees where the house grows.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const limits = { median: 120, largest: 500 };
const files = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.mjs'],
  { encoding: 'utf8' },
)
  .split('\n')
  .filter((file) => file !== '' && !file.includes('/generated/'));
const rows = files
  .map((file) => ({
    file,
    lines: readFileSync(file, 'utf8').split('\n').length - 1,
    isTest: /\.test\.ts$/.test(file),
  }))
  .sort((a, b) => a.lines - b.lines);
const code = rows.filter((row) => !row.isTest);
const at = (share) => code[Math.min(code.length - 1, Math.floor(code.length * share))].lines;
const total = code.reduce((sum, row) => sum + row.lines, 0);
process.stdout.write(
  `${code.length} files, ${total} lines: median ${at(0.5)}, p90 ${at(0.9)}, largest ${at(1)} (${code.at(-1).file})\n`,
);

const tooLong = rows.filter((row) => row.lines > limits.largest);
for (const row of tooLong)
  process.stderr.write(`${row.file}: ${row.lines} lines, the limit is ${limits.largest}: split it\n`);
if (at(0.5) > limits.median) process.stderr.write(`the median is above ${limits.median} lines\n`);
process.exit(tooLong.length > 0 || at(0.5) > limits.median ? 1 : 0);
