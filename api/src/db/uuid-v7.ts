// IDs in the order of their creation, which an index takes at its end.

import { randomUUID } from 'node:crypto';

/**
 * Creates a UUIDv7 whose `rand_a` counts 4,096ths of a millisecond (RFC 9562, section 6.2, method 3), which keeps
 * those of one process within the same millisecond in order.
 */
export function createUuidV7(): string {
  const nowMs = performance.timeOrigin + performance.now();
  const time = Math.floor(nowMs).toString(16).padStart(12, '0');
  const fraction = Math.floor((nowMs % 1) * 4096)
    .toString(16)
    .padStart(3, '0');
  // The variant and the random bits come from a UUIDv4.
  const rest = randomUUID().slice(19);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${fraction}-${rest}`;
}
