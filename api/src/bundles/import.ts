// Takes in what a bundle brings.

import type { Deliver, DeliveryReport, SyncProgress } from '../remotes/index.ts';
import { openBundle } from './bundle.ts';

/** @throws bundle_invalid; the system's error of a path that cannot be read; what Deliver throws */
export async function importBundle(
  path: string,
  deliver: Deliver,
  onProgress?: (progress: SyncProgress) => void,
): Promise<DeliveryReport> {
  const { close, ...delivery } = await openBundle(path);
  try {
    return await deliver(delivery, onProgress);
  } finally {
    await close();
  }
}
