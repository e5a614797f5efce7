// Turns whatever image somebody uploads into a thumbnail: rasters become small WebP, SVG stays as it is.

import { ImageInvalidError } from './errors.ts';

export interface ThumbnailImage {
  contentType: 'image/webp' | 'image/svg+xml';
  data: Uint8Array;
  /** 0 for SVG, which has no size of its own. */
  width: number;
  height: number;
}

const MAX_WIDTH_PX = 400;
/** Decoding more would cost hundreds of MiB. */
const MAX_PIXELS = 64_000_000;
const RASTER_FORMATS = new Set(['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif', 'avif']);
/** An XML declaration, comments, a doctype and white space may stand before the root element. */
const SVG_START = /^\uFEFF?\s*(<\?xml[^>]*\?>\s*)?(<!--[\s\S]*?-->\s*)*(<!DOCTYPE\s+svg[^>[]*(\[[^\]]*\]\s*)?>\s*)?(<!--[\s\S]*?-->\s*)*<svg[\s>]/i;
const SVG_SNIFF_BYTES = 16 * 1024;

/** @throws image_invalid for what is no image, is damaged, or has more than 64 megapixels */
export async function toThumbnail(bytes: Uint8Array): Promise<ThumbnailImage> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, SVG_SNIFF_BYTES)).toString('utf8');
  if (SVG_START.test(text)) return { contentType: 'image/svg+xml', data: bytes, width: 0, height: 0 };
  // Loaded when first needed: the library costs memory that most processes never use.
  const { default: sharp } = await import('sharp');
  sharp.cache(false);
  try {
    const image = sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error' });
    const { format } = await image.metadata();
    if (!RASTER_FORMATS.has(format)) throw new Error(`the format ${format} is not taken`);
    const { data, info } = await image.autoOrient().resize({ width: MAX_WIDTH_PX, withoutEnlargement: true }).webp().toBuffer({ resolveWithObject: true });
    return { contentType: 'image/webp', data, width: info.width, height: info.height };
  } catch (cause) {
    throw new ImageInvalidError('The file is no image that can be read, or has more than 64 megapixels: send PNG, JPEG, WebP, GIF, TIFF, AVIF or SVG.', { cause });
  }
}
