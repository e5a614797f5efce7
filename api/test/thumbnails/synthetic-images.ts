// Builds images byte by byte: some that sharp cannot write, for tests that must not load it too.

import { crc32, deflateSync } from 'node:zlib';

/** Builds a valid all-black PNG with 1 bit per pixel: 64 megapixels take 8 KiB. */
export function makeBlackPng(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  const pixels = deflateSync(Buffer.alloc((1 + Math.ceil(width / 8)) * height));
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    pngChunk('IDAT', pixels),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

function pngChunk(type: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}

/** Builds a document that grows to 10^8 letters when its entities are expanded ("billion laughs"). */
export function makeXmlBomb(doctype: string): string {
  const entities = Array.from(
    { length: 8 },
    (_, level) => `<!ENTITY e${level + 1} "${`&e${level};`.repeat(10)}">`,
  ).join('');
  return (
    `<?xml version="1.0"?><!DOCTYPE ${doctype} [<!ENTITY e0 "lol">${entities}]><svg ` +
    'xmlns="http://www.w3.org/2000/svg"><text>&e8;</text></svg>'
  );
}
