/**
 * What `tsyringe`, under @peculiar/x509, asks of the Reflect metadata proposal: two lookups that may find nothing. That
 * library only registers classes without constructor arguments, so there is never metadata to find. Imported by
 * `x509.ts` before the library, and by nobody else. A real polyfill that is loaded already is left alone.
 */
const nothing = (): undefined => undefined;

for (const name of ['getMetadata', 'getOwnMetadata']) {
  if (!Reflect.has(Reflect, name))
    Object.defineProperty(Reflect, name, { value: nothing, configurable: true, writable: true });
}
