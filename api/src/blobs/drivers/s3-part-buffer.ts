/** Collects the bytes of one part in memory. Most blobs are much smaller than a part, and take only what they need. */
export class PartBuffer {
  readonly #limit: number;
  #memory: Buffer;
  #length = 0;

  /** @param limit length of the part @param spare memory of an earlier part */
  constructor(limit: number, spare: Buffer | undefined) {
    this.#limit = limit;
    this.#memory = spare?.length === limit ? spare : Buffer.alloc(0);
  }

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }

  get isFull(): boolean {
    return this.#length === this.#limit;
  }

  /** Copies what fits, and returns the rest. */
  fill(chunk: Uint8Array): Uint8Array {
    const fitting = chunk.subarray(0, this.#limit - this.#length);
    this.#makeRoomFor(fitting.length);
    this.#memory.set(fitting, this.#length);
    this.#length += fitting.length;
    return chunk.subarray(fitting.length);
  }

  /** For exactly the first chunk, which is often the whole blob, then for the whole part. */
  #makeRoomFor(count: number): void {
    if (this.#length + count <= this.#memory.length) return;
    const memory = Buffer.allocUnsafeSlow(this.#length === 0 ? count : this.#limit);
    memory.set(this.bytes);
    this.#memory = memory;
  }
}
