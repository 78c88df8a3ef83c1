/**
 * How long checks took, as Prometheus' histograms count. Pure. One per probe: a few numbers.
 */

/** Upper bounds in seconds: the defaults of Prometheus' client libraries. */
export const durationBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

export class Durations {
  /** How many took at most as long as the bound at that index, and longer than the one before. */
  readonly counts: number[] = durationBounds.map(() => 0);
  count = 0;
  sum = 0;

  observe(seconds: number): void {
    this.count += 1;
    this.sum += seconds;
    const index = durationBounds.findIndex((bound) => seconds <= bound);
    if (index >= 0) this.counts[index] = (this.counts[index] ?? 0) + 1;
  }
}
