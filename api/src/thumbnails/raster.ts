// Everything that sharp does here. Only ever imported when an image has to be decoded: the library costs memory that
// most processes never use.

import sharp from 'sharp';

const MAX_WIDTH_PX = 400;
/** What WebP takes (https://developers.google.com/speed/webp/faq). */
const MAX_HEIGHT_PX = 16_383;
/** Decoding more would cost hundreds of MiB. */
const MAX_PIXELS = 64_000_000;
/**
 * libvips' names of the formats taken. The loaders of all others stay shut: some, such as that of SVG, act on what
 * their input says.
 */
const FORMATS = ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'];

sharp.cache(false);
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: FORMATS.map((format) => `VipsForeignLoad${format}Buffer`) });

/**
 * Turns an image, or its first page or frame, upright and into WebP at most 400 px wide, never enlarged.
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
