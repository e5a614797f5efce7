// What the scans' thread and the one that receives uploads tell each other. The bytes themselves are in shared memory.

import type { ErrorDescription } from '../errors.ts';
import type { TarballScan } from './scan.ts';
import type { TarballLimits } from './scanner.ts';

/** One piece of a tarball: a message wakes the other thread, which 64 KiB are not worth. */
export const SLOT_BYTES = 128 * 1024;
/** Pieces of one scan: being filled, on their way, being inflated. */
export const SLOTS = 4;

/** To the thread; each scan has a number of its own. */
export type ScanRequest = { scan: number } & (
  | { type: 'begin'; limits: TarballLimits; memory: SharedArrayBuffer }
  /** The slot belongs to the thread until it is `taken`. */
  | { type: 'piece'; slot: number; sizeBytes: number }
  | { type: 'end' }
  | { type: 'abort' }
);

/** From the thread; nothing follows `done` and `failed`. */
export type ScanReport = { scan: number } & (
  /** With about how much memory the thread holds for the scan now. */
  | { type: 'taken'; slot: number; heldBytes: number }
  | { type: 'done'; result: TarballScan }
  | { type: 'failed'; error: ErrorDescription }
);

/** Makes the view of one slot, the same on both sides. */
export function slotOf(memory: SharedArrayBuffer, slot: number, sizeBytes = SLOT_BYTES): Uint8Array {
  return new Uint8Array(memory, slot * SLOT_BYTES, sizeBytes);
}
