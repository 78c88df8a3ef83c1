/** One flag as the help shows it, for the tables of `masterflags.ts`, `agentflags.ts` and their parts. */
export interface Flag {
  /** Without the dashes: `data-dir`. */
  name: string;
  /** What the help shows for the value: `dir`. */
  value: string;
  description: string;
  /** Heading in the help; flags of one group stand together. */
  group: string;
  /** May be given several times, or as a list in the file; the values are then joined with commas. */
  repeatable?: boolean;
}

export const group = (heading: string, flags: readonly Omit<Flag, 'group'>[]): Flag[] =>
  flags.map((flag) => ({ ...flag, group: `${heading}:` }));
