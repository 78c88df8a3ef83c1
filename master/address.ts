/** Which of this host's addresses others reach the API at, when no flag says so. Called by `main.ts` at start. */
import { hostAddress } from '../src/host/address.js';

export const findAdvertiseAddress = async (): Promise<string> => (await hostAddress()) ?? '127.0.0.1';
