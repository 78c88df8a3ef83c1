/**
 * Nodes that have the pod's images already are slightly better. Pure. Numbers as kube-scheduler's ImageLocality: sizes
 * below 23 MB do not matter, more than 1000 MB a container does not matter more, and an image that few nodes have
 * counts less, so that not all its pods run into one node.
 */
import { maxScore, type Score } from '../plugin.js';

const megabyte = 1024 * 1024;
const minBytes = 23 * megabyte;
const maxBytesPerContainer = 1_000 * megabyte;

/** Names of images in node status carry a tag. */
const withTag = (image: string): string =>
  image.lastIndexOf(':') > image.lastIndexOf('/') || image.includes('@') ? image : `${image}:latest`;

export const imageLocality: Score = {
  name: 'ImageLocality',
  weight: 1,
  prepare({ spec }, snapshot) {
    const containers = [...(spec.initContainers ?? []), ...spec.containers];
    const images = containers.flatMap(({ image }) => {
      const name = withTag(image ?? '');
      const nodes = snapshot.nodesWithImage(name);
      return nodes === 0 ? [] : [{ name, share: nodes / snapshot.nodes.length }];
    });
    if (images.length === 0) return undefined;
    const maxBytes = maxBytesPerContainer * containers.length;
    return {
      score(node) {
        const bytes = images.reduce((sum, { name, share }) => sum + (node.images.get(name) ?? 0) * share, 0);
        const counted = Math.min(Math.max(bytes, minBytes), maxBytes);
        return (maxScore * (counted - minBytes)) / (maxBytes - minBytes);
      },
    };
  },
};
