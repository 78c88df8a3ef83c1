/** How a `LabelSelector` object is shown in a column. Pure. */
import { SelectorError, selectorOf } from '../../../src/api/selectors.js';
import type { LabelSelector } from '../../../src/api/types.js';

/** `app=web,tier in (a,b)`; `<none>` for one that selects everything or nothing, `<error>` for one that is no selector. */
export function selectorText(selector: LabelSelector | undefined): string {
  try {
    return selectorOf(selector).toString() || '<none>';
  } catch (error) {
    if (error instanceof SelectorError) return '<error>';
    throw error;
  }
}
