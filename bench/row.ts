/** One line of the benchmark table. Absolute times are noisy: a budget is, where it can be, a ratio to a floor measured in the same run. */
export interface Row {
  /** What was measured: `pod start, one at a time`. */
  name: string;
  /** The figure with its unit: `212 ms`. */
  measured: string;
  /** What it is compared with in the same run: `raw Docker 190 ms`; '' without a floor. */
  floor: string;
  /** The budget of the design, as text: `<= 1.2x raw Docker`. */
  budget: string;
  /** Undefined where there is nothing to compare with. */
  ok: boolean | undefined;
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};

export const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
export const ratio = (value: number): string => `${value.toFixed(2)}x`;

export function renderTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.name,
    row.measured,
    row.floor,
    row.budget,
    row.ok === undefined ? '' : row.ok ? 'ok' : 'MISSED',
  ]);
  const all = [['what', 'measured', 'floor in the same run', 'budget', ''], ...cells];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
