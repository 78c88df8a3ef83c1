/** A call about an object that may be gone: who reads it learns that, who deletes or changes it has nothing to do. */
import { isReason } from '../api/errors.js';

/** `undefined` for NotFound; rejects with everything else. */
export async function ifFound<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined;
    throw error;
  }
}
