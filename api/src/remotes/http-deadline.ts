// The deadline of a server that owes us something: first a whole response head, then 16 KiB of body in each time-out.
// The clock stands still while it is this side that does not read.

/** A body that brings less than this in a whole time-out is no better than silence. */
const MIN_BODY_BYTES = 16 * 1024;

export class Deadline {
  readonly #timeoutMs: number;
  readonly #onMissed: (reason: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  /** Of the present time-out, as of when the clock was last started or stopped. */
  #leftMs = 0;
  #isHead = true;
  /** Whether nothing at all came in the present time-out. */
  #isSilent = true;
  #bodyBytes = 0;

  /** @param onMissed called when the deadline has passed, with the reason: `'only 12 bytes came in 30 s'` */
  constructor(timeoutMs: number, onMissed: (reason: string) => void) {
    this.#timeoutMs = timeoutMs;
    this.#onMissed = onMissed;
  }

  /** Expects a whole head within one time-out: however its bytes drip, they buy no more time. */
  expectHead(): void {
    this.#isHead = true;
    this.#renew();
    this.resume();
  }

  /** Expects a body: every 16 KiB of it buy a new time-out. Its framing (chunk sizes, trailers) buys none. */
  expectBody(): void {
    this.#isHead = false;
    this.#renew();
    this.resume();
  }

  /** Counts what came. */
  add(bodyBytes: number): void {
    this.#isSilent = false;
    this.#bodyBytes += bodyBytes;
    if (this.#bodyBytes < MIN_BODY_BYTES) return;
    this.#renew();
    if (this.#timer) this.resume();
  }

  /** Stops the clock. */
  pause(): void {
    if (!this.#timer) return;
    this.#leftMs -= performance.now() - this.#startedAt;
    this.end();
  }

  /** Starts the clock where it was stopped. */
  resume(): void {
    this.end();
    this.#startedAt = performance.now();
    const timer = this.#timer = setTimeout(() => {
      // What arrived while this process was busy is read before it is judged.
      setImmediate(() => { if (this.#timer === timer) this.#onMissed(this.#reason()); });
    }, Math.max(0, this.#leftMs));
  }

  /** Expects nothing any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #renew(): void {
    this.#leftMs = this.#timeoutMs;
    this.#bodyBytes = 0;
    this.#isSilent = true;
  }

  #reason(): string {
    const time = `${this.#timeoutMs / 1000} s`;
    if (this.#isSilent) return `nothing came for ${time}`;
    return this.#isHead ? `its headers did not end within ${time}` : `only ${this.#bodyBytes} bytes came in ${time}`;
  }
}
