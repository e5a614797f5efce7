// Buffer pool: allocating and zeroing a buffer costs as much as filling it.

const MAX_SPARE_BUFFERS = 16;

/** Buffers of one size that nobody uses. */
export class BufferPool {
  readonly #buffers: Uint8Array[] = [];
  readonly #make: () => Uint8Array;

  constructor(make: () => Uint8Array) {
    this.#make = make;
  }

  take(): Uint8Array {
    return this.#buffers.pop() ?? this.#make();
  }

  /** Takes back a buffer of `take` that nothing reads or writes any more. */
  keep(buffer: Uint8Array): void {
    if (this.#buffers.length < MAX_SPARE_BUFFERS) this.#buffers.push(buffer);
  }
}
