// A table as JSON Lines: one JSON object per row. Bytes are `{ "base64": "…" }`, times are ISO 8601 strings, and
// booleans are true or 1, depending on the source database.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { digestOf } from '../digests/index.ts';
import type { Row } from './repository.ts';

/** Lines are buffered up to this size. */
const WRITE_BYTES = 256 * 1024;

export interface TableFile {
  rows: number;
  sizeBytes: number;
  digest: string;
}

/** Writes rows durably to a new file. @param onRow called after each row */
export async function writeTableFile(path: string, rows: AsyncIterable<Row>, onRow: () => void): Promise<TableFile> {
  const file = await open(path, 'wx', 0o600);
  const hash = createHash('sha256');
  const written: TableFile = { rows: 0, sizeBytes: 0, digest: '' };
  let buffered: string[] = [];
  let bufferedLength = 0;
  const flush = async () => {
    const bytes = Buffer.from(buffered.join(''));
    buffered = [];
    bufferedLength = 0;
    hash.update(bytes);
    await file.writeFile(bytes);
    written.sizeBytes += bytes.length;
  };
  try {
    for await (const row of rows) {
      const line = `${JSON.stringify(toJson(row))}\n`;
      buffered.push(line);
      bufferedLength += line.length;
      written.rows++;
      onRow();
      if (bufferedLength >= WRITE_BYTES) await flush();
    }
    await flush();
    await file.sync();
  } finally {
    await file.close().catch(() => undefined);
  }
  return { ...written, digest: digestOf(hash) };
}

/** Yields the rows of a file. */
export async function* readTableFile(path: string): AsyncGenerator<Row> {
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    if (line !== '') yield fromJson(JSON.parse(line) as Row);
  }
}

/** Computes `sha256:<hex>` of a file. */
export async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: WRITE_BYTES })) hash.update(chunk as Buffer);
  return digestOf(hash);
}

function toJson(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value,
    ]),
  );
}

function fromJson(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, isBytes(value) ? Buffer.from(value.base64, 'base64') : value]),
  );
}

/** No column holds an object: JSON is kept as text. */
function isBytes(value: unknown): value is { base64: string } {
  return typeof value === 'object' && value !== null && 'base64' in value && typeof value.base64 === 'string';
}
