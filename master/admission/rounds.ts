/**
 * 2. Which mutating hooks are called a second time: those that ask for it and saw the object before somebody changed it.
 * One for each mutation of a write; there are at most two rounds.
 */
export class Rounds {
  /** Called since the last change of somebody else, and willing to be called again. */
  #seen = new Set<string>();
  #again = new Set<string>();
  #isSecond = false;

  mayCall(id: string): boolean {
    return !this.#isSecond || this.#again.has(id);
  }

  called(id: string, { isChanged, isReinvocable }: { isChanged: boolean; isReinvocable: boolean }): void {
    if (isChanged) {
      for (const earlier of this.#seen) this.#again.add(earlier);
      this.#seen.clear();
    }
    if (isReinvocable) this.#seen.add(id);
  }

  /** True when somebody is to be called again; the second round begins. */
  beginSecond(): boolean {
    if (this.#isSecond || this.#again.size === 0) return false;
    this.#isSecond = true;
    return true;
  }
}
