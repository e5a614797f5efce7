// Buffer pool: allocating and zeroing a buffer costs as much as filling it.

const MAX_SPARE_BUFFERS = 16;

/** Keeps unused buffers of one size for reuse. */
export class BufferPool {
  readonly #buffers: Uint8Array[] = [];
  readonly #make: () => Uint8Array;

  constructor(make: () => Uint8Array) {
    this.#make = make;
  }

  acquire(): Uint8Array {
    return this.#buffers.pop() ?? this.#make();
  }

  /** Returns a buffer to the pool that nothing reads or writes any more. */
  release(buffer: Uint8Array): void {
    if (this.#buffers.length < MAX_SPARE_BUFFERS) this.#buffers.push(buffer);
  }
}
