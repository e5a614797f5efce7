// Renders a page of the list. An ordinary page is one text; of a larger one, only the part that is being sent is in
// memory.

import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { PAGE_BYTES, type ListedDocument, type Listing } from './list-repository.ts';

/** JSON of `{ results, count }`. */
export type ListBody = string | Readable;

export interface LaterReads {
  /** Reads documents by ID; those that do not exist any more are missing. */
  documentsOf(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Lists the page as it is now. */
  readAgain(): Promise<Listing>;
}

/** Bytes of documents that are read and sent at once, unless a single one has more. */
const BATCH_BYTES = 1024 * 1024;

export async function renderList(listing: Listing, later: LaterReads): Promise<ListBody> {
  const { rows, count } = listing;
  if (rows.every(({ json }) => json !== undefined))
    return `{"results":[${rows.map(({ json }) => json).join(',')}],"count":${count}}`;
  const parts = streamList(listing, later);
  const sizeBytes = rows.reduce((sum, row) => sum + row.sizeBytes, 0);
  if (sizeBytes <= PAGE_BYTES) return text(parts);
  // Each part is large: Node's default would be to read 16 ahead.
  return Readable.from(parts, { objectMode: true, highWaterMark: 1 });
}

/** Yields the texts of a page that has as many documents as were listed, although some may be deleted meanwhile. */
async function* streamList({ rows, count }: Listing, later: LaterReads): AsyncGenerator<string> {
  const wanted = rows.length;
  const seen = new Set<string>();
  let sent = 0;
  let page = rows;
  while (page.length > 0) {
    for (const batch of batchesOf(page)) {
      for (const { id } of batch) seen.add(id);
      const texts = await textsOf(batch, later);
      if (texts.length > 0) yield (sent === 0 ? '{"results":[' : ',') + texts.join(',');
      sent += texts.length;
    }
    // Clients page until a page is short: what moved up into the places of deleted documents belongs to this one.
    const missing = wanted - sent;
    page = missing > 0 ? (await later.readAgain()).rows.filter(({ id }) => !seen.has(id)).slice(0, missing) : [];
  }
  yield `${sent === 0 ? '{"results":[' : ''}],"count":${count}}`;
}

/** Takes the documents out of the page, so that those that have been sent are not kept. */
function* batchesOf(page: ListedDocument[]): Generator<ListedDocument[]> {
  const waiting = page.splice(0).reverse();
  let batch: ListedDocument[] = [];
  let batchBytes = 0;
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (batch.length > 0 && batchBytes + next.sizeBytes > BATCH_BYTES) {
      yield batch;
      batch = [];
      batchBytes = 0;
    }
    batch.push(next);
    batchBytes += next.sizeBytes;
  }
  if (batch.length > 0) yield batch;
}

async function textsOf(batch: readonly ListedDocument[], later: LaterReads): Promise<string[]> {
  const absent = batch.filter(({ json }) => json === undefined).map(({ id }) => id);
  const read = absent.length > 0 ? await later.documentsOf(absent) : undefined;
  return batch.flatMap(({ id, json = read?.get(id) }) => json ?? []);
}
