/**
 * The pull policy that follows from the name of an image. Pure. Called by `pod.ts` and `volume.ts`.
 */

/** `latest`, also when neither tag nor digest is given: such images are pulled every time. */
export function hasLatestTag(image: string): boolean {
  const [name = ''] = image.split('@');
  const colon = name.lastIndexOf(':');
  const tag = colon > name.lastIndexOf('/') ? name.slice(colon + 1) : '';
  return tag === 'latest' || (tag === '' && !image.includes('@'));
}

export const pullPolicyFor = (image: string): string => (hasLatestTag(image) ? 'Always' : 'IfNotPresent');
