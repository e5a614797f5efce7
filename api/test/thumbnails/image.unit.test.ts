import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { toThumbnail } from '../../src/thumbnails/image.ts';
import { makeBlackPng, makeXmlBomb } from './synthetic-images.ts';
import { inspectImage, makeRaster, RASTER_FORMATS } from './images.ts';

const RED = [1, 0, 0];
const BLUE = [0, 0, 1];
const REJECTED = { code: 'image_invalid', status: 400 };

describe('a raster image', () => {
  for (const format of RASTER_FORMATS) {
    test(`in ${format} becomes WebP of 400 px width, with its proportions`, async () => {
      const { contentType, data, width, height } = await toThumbnail(
        await makeRaster({ format, width: 801, height: 403 }),
      );
      const image = await inspectImage(data, { left: 10, top: 100 });
      assert.deepEqual([contentType, width, height], ['image/webp', 400, 201]);
      assert.deepEqual([image.format, image.width, image.height, image.colour], ['webp', 400, 201, RED]);
    });
  }

  test('that is smaller is not enlarged', async () => {
    for (const [width, height] of [
      [400, 300],
      [399, 500],
      [1, 1],
    ] as const) {
      const image = await inspectImage((await toThumbnail(await makeRaster({ width, height }))).data);
      assert.deepEqual([image.width, image.height], [width, height]);
    }
  });

  test('is rotated by its EXIF orientation, and loses its metadata', async () => {
    const sizeAndTop = { 1: [200, 100, RED], 3: [200, 100, BLUE], 6: [100, 200, RED], 8: [100, 200, BLUE] } as const;
    for (const [orientation, [width, height, colour]] of Object.entries(sizeAndTop)) {
      const thumbnail = await toThumbnail(
        await makeRaster({ format: 'jpeg', width: 200, height: 100, orientation: Number(orientation) }),
      );
      const image = await inspectImage(thumbnail.data, { left: 5, top: 5 });
      assert.deepEqual(
        [thumbnail.width, thumbnail.height, image.width, image.height, image.colour],
        [width, height, width, height, colour],
        `orientation ${orientation}`,
      );
      assert.deepEqual([image.orientation, image.exif], [undefined, undefined]);
    }
    const wide = await toThumbnail(await makeRaster({ format: 'jpeg', width: 400, height: 900, orientation: 6 }));
    assert.deepEqual([wide.width, wide.height], [400, 178]);
  });

  test('that exceeds the height limit of WebP is scaled down', async () => {
    assert.deepEqual(await sizeOf(makeBlackPng(32, 32_766)), [16, 16_383]);
    assert.deepEqual(await sizeOf(makeBlackPng(100_000, 2)), [400, 1]);
  });

  test('may have at most 64 megapixels', async () => {
    assert.deepEqual(await sizeOf(makeBlackPng(8000, 8000)), [400, 400]);
    await assert.rejects(toThumbnail(makeBlackPng(8000, 8001)), REJECTED);
    await assert.rejects(toThumbnail(makeBlackPng(1_000_000, 65)), REJECTED);
  });

  test('that is truncated is rejected', async () => {
    for (const format of RASTER_FORMATS) {
      const bytes = await makeRaster({ format, width: 300, height: 300 });
      await assert.rejects(toThumbnail(bytes.subarray(0, Math.floor(bytes.length * 0.7))), REJECTED, format);
    }
  });
});

test('a file that is not an image is rejected', async () => {
  const png = await makeRaster({ width: 10, height: 10 });
  const others = [
    '',
    'text',
    '%PDF-1.4\n',
    '\x1f\x8b\b\0',
    '{"a":1}',
    `P6\n1 1\n255\nabc`,
    'BM',
    '\x89PNG\r\n\x1a\n',
    png.subarray(1),
    Buffer.alloc(100),
  ];
  for (const bytes of others)
    await assert.rejects(toThumbnail(Buffer.from(bytes)), REJECTED, JSON.stringify(bytes.slice(0, 20)));
});

describe('SVG', () => {
  test('is kept byte for byte, without a size', async () => {
    const drawings = [
      '<svg xmlns="http://www.w3.org/2000/svg"><rect width="1" height="1"/></svg>',
      '\uFEFF<?xml version="1.0" encoding="UTF-8"?>\r\n<!-- by hand -->\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG ' +
        '1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">\n<svg\nwidth="1"><!-- é --></svg >\n' +
        '<!-- end -->\n',
      '<?xml-stylesheet href="a.css"?><!DOCTYPE svg [ <!ENTITY ns "http://example.org/"> ]><svg ' +
        'xmlns:x="&ns;"><svg></svg></svg>',
      '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
      '<svg xmlns="http://www.w3.org/2000/svg"/>',
      makeXmlBomb('svg'),
    ];
    for (const drawing of drawings) {
      const bytes = Buffer.from(drawing);
      assert.deepEqual(
        await toThumbnail(bytes),
        { contentType: 'image/svg+xml', data: bytes, width: 0, height: 0 },
        drawing,
      );
    }
  });

  test('must be the whole file', async () => {
    const lookAlikes = [
      '<!DOCTYPE html><html><body><svg xmlns="http://www.w3.org/2000/svg"><rect/></svg></body></html>',
      '<html><svg xmlns="http://www.w3.org/2000/svg"></svg></html>',
      '<svg xmlns="http://www.w3.org/2000/svg"></svg><script>alert(1)</script>',
      '<svg xmlns="http://www.w3.org/2000/svg"><rect',
      '<!-- <svg></svg> -->',
      '<!-- --><!-- <svg></svg>',
      'x<svg></svg>',
      '<svgs></svgs>',
      '<svg',
      '<svg>',
      '<?xml version="1.0"?><!DOCTYPE svg><g><svg></svg></g>',
      makeXmlBomb('html'),
    ];
    for (const text of lookAlikes) await assert.rejects(toThumbnail(Buffer.from(text)), REJECTED, text);
  });

  test('is recognised in linear time, with very long comments too', async () => {
    for (const margin of [
      '<!---->'.repeat(2000),
      '<!--'.repeat(4000),
      '<??>'.repeat(4000),
      ' '.repeat(16_000),
      '<!---->\n'.repeat(600_000),
    ]) {
      await assert.rejects(toThumbnail(Buffer.from(`${margin}<html>`)), REJECTED);
      await assert.rejects(toThumbnail(Buffer.from(`<svg></svg>${margin}<html>`)), REJECTED);
    }
  });
});

async function sizeOf(bytes: Uint8Array): Promise<[number, number]> {
  const { width, height } = await toThumbnail(bytes);
  return [width, height];
}
