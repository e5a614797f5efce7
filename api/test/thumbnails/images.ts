// Creates and inspects raster images with sharp. synthetic-images.ts creates images without it.

import sharp from 'sharp';

export const RASTER_FORMATS = ['png', 'jpeg', 'webp', 'gif', 'tiff', 'avif'] as const;

export interface RasterOptions {
  format?: (typeof RASTER_FORMATS)[number];
  width: number;
  height: number;
  /** EXIF orientation, 1 to 8 (https://www.exif.org/Exif2-2.PDF, 4.6.4). */
  orientation?: number;
}

/** Creates an image whose left half is red and right half is blue, before orientation is applied. */
export async function makeRaster({ format = 'png', width, height, orientation }: RasterOptions): Promise<Buffer> {
  const red = {
    input: { create: { width: Math.ceil(width / 2), height, channels: 3, background: '#f00' } },
    left: 0,
    top: 0,
  } as const;
  const image = sharp({ create: { width, height, channels: 3, background: '#00f' } }).composite([red]);
  return (orientation === undefined ? image : image.withMetadata({ orientation }))
    .toFormat(format, format === 'avif' ? { effort: 0 } : {})
    .toBuffer();
}

/** Reads metadata of an image, and the colour of one pixel as `[red, green, blue]`, each 0 or 1. */
export async function inspectImage(bytes: Uint8Array, at: { left: number; top: number } = { left: 0, top: 0 }) {
  const { format, width, height, orientation, exif } = await sharp(bytes).metadata();
  const pixel = await sharp(bytes)
    .extract({ ...at, width: 1, height: 1 })
    .removeAlpha()
    .raw()
    .toBuffer();
  return { format, width, height, orientation, exif, colour: [...pixel].map((value) => Math.round(value / 255)) };
}
