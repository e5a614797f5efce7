// The rows of slots; repository.ts reads and writes them with their artefact.

import type { Uploader } from '../access/index.ts';
import type { SlotsTable } from '../db/index.ts';
import type { Digest } from '../digests/index.ts';
import type { Slot } from './artefact.ts';
import { parseWarnings } from './scan-repository.ts';

/** A slot, with the warnings of its scan if they were selected. */
type SlotRow = SlotsTable & { warnings?: string | null };

/** Converts the rows of a left join, whose columns are null if there are no slots. */
export function toSlots(rows: readonly { [Column in keyof SlotRow]: SlotRow[Column] | null }[]): Slot[] {
  return rows.flatMap((row) => (row.artefact_id === null ? [] : [toSlot(row as SlotRow)]));
}

export function toSlot(row: SlotRow): Slot {
  return {
    architecture: row.architecture,
    digest: row.digest as Digest,
    path: row.path,
    sizeBytes: row.size,
    version: row.version ?? undefined,
    fileName: row.file_name ?? undefined,
    uploadedAt: row.uploaded_at,
    uploadedBy: JSON.parse(row.uploaded_by) as Uploader,
    hasNativeModules: row.has_native_modules === 1,
    hasInstallScripts: row.has_install_scripts === 1,
    warnings: parseWarnings(row.warnings),
  };
}

export function toSlotRow(artefactId: string, slot: Slot): SlotsTable {
  return {
    artefact_id: artefactId,
    architecture: slot.architecture,
    digest: slot.digest,
    path: slot.path,
    size: slot.sizeBytes,
    version: slot.version ?? null,
    file_name: slot.fileName ?? null,
    uploaded_at: slot.uploadedAt,
    uploaded_by: JSON.stringify(slot.uploadedBy),
    has_native_modules: Number(slot.hasNativeModules),
    has_install_scripts: Number(slot.hasInstallScripts),
  };
}
