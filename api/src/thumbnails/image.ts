// Turns whatever image somebody uploads into a thumbnail: rasters become small WebP, SVG stays as it is.

import { ImageInvalidError } from './errors.ts';
import { isSvg } from './svg.ts';

export interface ThumbnailImage {
  contentType: 'image/webp' | 'image/svg+xml';
  data: Uint8Array;
  /** 0 for SVG, which has no size of its own. */
  width: number;
  height: number;
}

/** Makes the thumbnail. @throws image_invalid for what is no image, is damaged, or has more than 64 megapixels */
export async function toThumbnail(bytes: Uint8Array): Promise<ThumbnailImage> {
  if (isSvg(bytes)) return { contentType: 'image/svg+xml', data: bytes, width: 0, height: 0 };
  const { toSmallWebp } = await import('./raster.ts');
  try {
    return { contentType: 'image/webp', ...(await toSmallWebp(bytes)) };
  } catch (cause) {
    throw new ImageInvalidError(
      'The file is no image that can be read, or has more than 64 megapixels: send PNG, JPEG, WebP, GIF, TIFF, ' +
        'AVIF or SVG.',
      { cause },
    );
  }
}
