// Builds a PMTiles archive (https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md) of one vector tile: a
// square in the middle of the world.

const HEADER_BYTES = 127;
const NO_COMPRESSION = 1;
const VECTOR_TILES = 1;

export function buildPmtiles(): Buffer {
  const tile = landTile();
  const directory = Buffer.from([1, 0, 1, ...varint(tile.length), 1]);
  const metadata = Buffer.from(JSON.stringify({ name: 'land', vector_layers: [{ id: 'land', fields: {} }] }));
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('PMTiles');
  header.writeUInt8(3, 7);
  const parts = [directory, metadata, Buffer.alloc(0), tile];
  let offset = HEADER_BYTES;
  parts.forEach((part, index) => {
    header.writeBigUInt64LE(BigInt(offset), 8 + index * 16);
    header.writeBigUInt64LE(BigInt(part.length), 16 + index * 16);
    offset += part.length;
  });
  for (const position of [72, 80, 88]) header.writeBigUInt64LE(1n, position);
  for (const [position, value] of [
    [96, 1],
    [97, NO_COMPRESSION],
    [98, NO_COMPRESSION],
    [99, VECTOR_TILES],
  ] as const)
    header.writeUInt8(value, position);
  for (const [position, degrees] of [
    [102, -170],
    [106, -80],
    [110, 170],
    [114, 80],
  ] as const)
    header.writeInt32LE(degrees * 10_000_000, position);
  return Buffer.concat([header, ...parts]);
}

/** A Mapbox vector tile with one layer of one polygon (https://github.com/mapbox/vector-tile-spec/tree/master/2.1). */
function landTile(): Buffer {
  const moveTo = 9;
  const lineToThrice = 26;
  const close = 15;
  const geometry = [
    moveTo,
    ...varint(zigzag(1024)),
    ...varint(zigzag(1024)),
    lineToThrice,
    ...[
      [2048, 0],
      [0, 2048],
      [-2048, 0],
    ]
      .flat()
      .flatMap((delta) => varint(zigzag(delta))),
    close,
  ];
  const feature = [0x18, 3, ...bytesField(4, geometry)];
  return Buffer.from(
    bytesField(3, [
      0x78,
      2,
      ...bytesField(1, [...Buffer.from('land')]),
      ...bytesField(2, feature),
      0x28,
      ...varint(4096),
    ]),
  );
}

function bytesField(number: number, bytes: number[]): number[] {
  return [(number << 3) | 2, ...varint(bytes.length), ...bytes];
}

function zigzag(value: number): number {
  return value < 0 ? -value * 2 - 1 : value * 2;
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}
