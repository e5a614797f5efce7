// The file that carries artefacts to where no network leads: a tar archive, which any program lists, of `blobs/<hexadecimal SHA-256>`,
// `thumbnails/<id>` and, last, `berth.json` with the documents.

import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { CarriageInvalidError } from './errors.ts';

export interface CarriageEntry {
  name: string;
  /** Of its first byte in the file. */
  offset: number;
  sizeBytes: number;
}

export interface CarriageWriter {
  /** Adds an entry; when the bytes are not as many as announced, or `chunks` throws, the file is as it was before. @throws carriage_invalid */
  add(name: string, sizeBytes: number, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** Ends the archive, makes it durable and gives it its name. */
  finish(): Promise<{ sizeBytes: number }>;
  /** Removes what was written. */
  abort(): Promise<void>;
}

const BLOCK_BYTES = 512;
/** What eleven octal digits hold; more is written in binary, as GNU tar does. */
const MAX_OCTAL_BYTES = 8 ** 11 - 1;
const NAME = { at: 0, length: 100 };
const SIZE = { at: 124, length: 12 };
const CHECKSUM = { at: 148, length: 8 };

/** Begins a file, which has another name until it is whole. */
export async function createCarriage(path: string): Promise<CarriageWriter> {
  const partial = `${path}.part`;
  const file = await open(partial, 'w', 0o600);
  let at = 0;
  const append = async (bytes: Uint8Array) => {
    await file.write(bytes, 0, bytes.length, at);
    at += bytes.length;
  };
  return {
    async add(name, sizeBytes, chunks) {
      const begin = at;
      try {
        await append(headerOf(name, sizeBytes));
        for await (const chunk of chunks) await append(chunk);
        if (at - begin - BLOCK_BYTES !== sizeBytes) throw new CarriageInvalidError(`${name} has ${at - begin - BLOCK_BYTES} bytes in place of ${sizeBytes}.`);
        await append(Buffer.alloc(padding(sizeBytes)));
      } catch (error) {
        at = begin;
        await file.truncate(begin);
        throw error;
      }
    },
    async finish() {
      await append(Buffer.alloc(2 * BLOCK_BYTES));
      await file.sync();
      await file.close();
      await rename(partial, path);
      return { sizeBytes: at };
    },
    async abort() {
      await file.close();
      await rm(partial, { force: true });
    },
  };
}

/** Reads what is where, without the bytes themselves. @throws carriage_invalid for what is no such archive, or is cut short */
export async function indexCarriage(file: FileHandle): Promise<Map<string, CarriageEntry>> {
  const { size } = await file.stat();
  const entries = new Map<string, CarriageEntry>();
  const block = Buffer.alloc(BLOCK_BYTES);
  for (let at = 0; ;) {
    const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, at);
    if (bytesRead < BLOCK_BYTES) throw new CarriageInvalidError('The file is cut short: copy it again.');
    if (block.every((byte) => byte === 0)) return entries;
    const entry = readHeader(block, at);
    entries.set(entry.name, entry);
    at = entry.offset + entry.sizeBytes + padding(entry.sizeBytes);
    if (at > size) throw new CarriageInvalidError('The file is cut short: copy it again.');
  }
}

function headerOf(name: string, sizeBytes: number): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES);
  header.write(name, NAME.at, NAME.length, 'utf8');
  header.write('0000644\0' + '0000000\0'.repeat(2), 100, 'latin1');
  if (sizeBytes <= MAX_OCTAL_BYTES) {
    header.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, SIZE.at, 'latin1');
  } else {
    header.writeBigUInt64BE(BigInt(sizeBytes), SIZE.at + 4);
    header[SIZE.at] = 0x80;
  }
  header.write('00000000000\0', 136, 'latin1');
  header.write('0', 156, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  header.write(`${checksumOf(header).toString(8).padStart(6, '0')}\0 `, CHECKSUM.at, 'latin1');
  return header;
}

function readHeader(block: Buffer, at: number): CarriageEntry {
  const text = (field: { at: number; length: number }) => block.toString('utf8', field.at, field.at + field.length).split('\0', 1)[0] ?? '';
  if (parseInt(text(CHECKSUM), 8) !== checksumOf(block)) throw new CarriageInvalidError('The file is damaged, or is none that berth remotes export has made.');
  const sizeBytes = block[SIZE.at] === 0x80 ? Number(block.readBigUInt64BE(SIZE.at + 4)) : parseInt(text(SIZE), 8);
  return { name: text(NAME), offset: at + BLOCK_BYTES, sizeBytes };
}

/** The sum of all bytes of a header, its own field taken as spaces (POSIX.1-1988, ustar). */
function checksumOf(block: Buffer): number {
  return block.reduce((sum, byte, index) => sum + (index >= CHECKSUM.at && index < CHECKSUM.at + CHECKSUM.length ? 0x20 : byte), 0);
}

function padding(sizeBytes: number): number { return (BLOCK_BYTES - sizeBytes % BLOCK_BYTES) % BLOCK_BYTES; }
