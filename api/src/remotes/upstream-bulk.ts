// The bytes of many small slots in one answer of the other registry, where it has a route for that: to ask for each costs more than to
// receive it (decision 23).

import type { UpstreamBytes, UpstreamSlot, UpstreamSource } from './upstream-bytes.ts';
import { readChunks, type UpstreamAnswer, type UpstreamConnection } from './upstream-request.ts';

/** Larger ones are worth a request, and can be resumed. */
const MAX_SLOT_BYTES = 2 * 1024 * 1024;
/** In one answer, whose slots are read one after the other; several answers are read at a time. */
const ENOUGH = 16;
/** How long the first one waits for others. */
const PATIENCE_MS = 2;

interface Order extends PromiseWithResolvers<UpstreamBytes | undefined> {
  id: string;
  slot: UpstreamSlot;
  signal: AbortSignal;
}

/** A slot in an answer. */
interface Part { order: Order; sizeBytes: number; digest: string }

/** Makes a source that asks for slots together where it can, and otherwise for each by `single`. */
export function createBulkSource({ get, route }: Pick<UpstreamConnection, 'get' | 'route'>, single: UpstreamSource): UpstreamSource {
  /** Until the registry turns out to have no such route, or to have its storage serve what it has. */
  let isServed = true;
  /** What did not arrive in company once. */
  const alone = new Set<string>();
  let waiting: Order[] = [];
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const orders = waiting;
    waiting = [];
    void serve(orders);
  }

  async function serve(orders: readonly Order[]): Promise<void> {
    const served = new Set<Order>();
    // Whoever asks alone is told what is wrong.
    if (orders.length > 1) await ask(orders, served).catch(() => undefined);
    for (const order of orders) {
      if (served.has(order)) continue;
      if (orders.length > 1) alone.add(nameOf(order.id, order.slot));
      single.open(order.id, order.slot, undefined, order.signal).then(order.resolve, order.reject);
    }
  }

  /** Asks for slots together, and adds to `served` those whose bytes have been handed out. */
  async function ask(orders: readonly Order[], served: Set<Order>): Promise<void> {
    const query = new URLSearchParams(orders.map(({ id, slot }): [string, string] => ['slot', nameOf(id, slot)]));
    const answer = await get(`${route('downloads')}?${query.toString()}`, { signal: AbortSignal.any(orders.map(({ signal }) => signal)) });
    const parts = partsOf(answer, orders);
    if (parts.length === 0) isServed = answer.status >= 500;
    try {
      await divide(answer, parts, served);
    } finally {
      answer.body.destroy();
    }
  }

  /** Hands the body out, slot by slot, for as long as each is read to its end. */
  async function divide(answer: UpstreamAnswer, parts: readonly Part[], served: Set<Order>): Promise<void> {
    const chunks = readChunks(answer);
    let rest: Uint8Array | undefined;
    for (const { order, sizeBytes, digest } of parts) {
      const ended = Promise.withResolvers<void>();
      let bytesLeft = sizeBytes;
      order.resolve({ offset: 0, sizeBytes, digest, etag: `"${digest}"`, chunks: read(), end: ended.resolve });
      served.add(order);
      await ended.promise;
      if (bytesLeft === 0) continue;
      alone.add(nameOf(order.id, order.slot));
      return;

      async function* read(): AsyncGenerator<Uint8Array> {
        while (bytesLeft > 0) {
          const chunk = rest ?? await next();
          const own = chunk.subarray(0, bytesLeft);
          rest = own.length < chunk.length ? chunk.subarray(own.length) : undefined;
          bytesLeft -= own.length;
          yield own;
        }
      }
    }
    // Whoever reads the end of the body keeps the connection.
    if (parts.length > 0) await chunks.next();

    async function next(): Promise<Uint8Array> {
      const result = await chunks.next();
      if (result.done) throw new Error('it ended before its time');
      return result.value;
    }
  }

  return {
    open(id, slot, from, signal) {
      const isSmall = slot.sizeBytes !== undefined && slot.sizeBytes > 0 && slot.sizeBytes <= MAX_SLOT_BYTES;
      if (!isServed || !isSmall || from || slot.digest === undefined || alone.has(nameOf(id, slot))) return single.open(id, slot, from, signal);
      const order: Order = { id, slot, signal, ...Promise.withResolvers<UpstreamBytes | undefined>() };
      waiting.push(order);
      if (waiting.length >= ENOUGH) flush();
      else timer ??= setTimeout(flush, PATIENCE_MS);
      return order.promise;
    },
  };
}

/** As the route takes it. */
function nameOf(id: string, { architecture }: UpstreamSlot): string { return `${architecture}:${id}`; }

/** What is in the answer: nothing, when it is none that the route gives. */
function partsOf({ status, headers }: UpstreamAnswer, orders: readonly Order[]): Part[] {
  const header = headers['berth-parts'];
  if (status !== 200 || header === undefined) return [];
  const parts: Part[] = [];
  for (const text of header.split(', ')) {
    const [, index, size, hex] = /^(\d{1,4}):(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
    const order = orders[Number(index)];
    if (!order || parts.some((other) => other.order === order)) return [];
    parts.push({ order, sizeBytes: Number(size), digest: `sha256:${hex}` });
  }
  return parts;
}
