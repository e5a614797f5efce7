// Converts an uploaded image into a thumbnail: raster images become small WebP, SVG is kept byte for byte.

import { ImageInvalidError } from './errors.ts';
import { isSvg } from './svg.ts';

export interface ThumbnailImage {
  contentType: 'image/webp' | 'image/svg+xml';
  data: Uint8Array;
  /** In pixels; 0 for SVG, which has no intrinsic size. */
  width: number;
  height: number;
}

/** Converts an image. @throws image_invalid if it is not an image, is damaged, or has more than 64 megapixels */
export async function toThumbnail(bytes: Uint8Array): Promise<ThumbnailImage> {
  if (isSvg(bytes)) return { contentType: 'image/svg+xml', data: bytes, width: 0, height: 0 };
  const { toSmallWebp } = await import('./raster.ts');
  try {
    return { contentType: 'image/webp', ...(await toSmallWebp(bytes)) };
  } catch (cause) {
    throw new ImageInvalidError(
      'The file is not a readable image or has over 64 megapixels: send PNG, JPEG, WebP, GIF, TIFF, AVIF or SVG.',
      { cause },
    );
  }
}
