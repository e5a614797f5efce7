// Raster conversion with sharp. Imported only when an image has to be decoded: most processes never need the memory
// that the library takes.

import sharp from 'sharp';

const MAX_WIDTH_PX = 400;
/** The limit of WebP (https://developers.google.com/speed/webp/faq). */
const MAX_HEIGHT_PX = 16_383;
/** Bounds the memory of decoding: larger images would take hundreds of MiB. */
const MAX_PIXELS = 64_000_000;
/**
 * Accepted formats, by their libvips names. All other loaders stay blocked: some, such as the SVG loader, act on
 * instructions in their input.
 */
const FORMATS = ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'];

sharp.cache(false);
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: FORMATS.map((format) => `VipsForeignLoad${format}Buffer`) });

/**
 * Rotates an image, or its first page or frame, upright and converts it to WebP at most 400 px wide. Never enlarges.
 * @throws sharp's errors if the data is not an image in a supported format, is damaged, or has more than 64 megapixels
 */
export async function toSmallWebp(bytes: Uint8Array): Promise<{ data: Uint8Array; width: number; height: number }> {
  const { data, info } = await sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error' })
    .autoOrient()
    .resize({ width: MAX_WIDTH_PX, height: MAX_HEIGHT_PX, fit: 'inside', withoutEnlargement: true })
    .webp()
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}
