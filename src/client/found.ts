/** What is read of the API, or that there is no such thing. */
import { isReason } from '../api/errors.js';

/** `undefined` for NotFound; rejects with everything else. */
export async function ifFound<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined;
    throw error;
  }
}
