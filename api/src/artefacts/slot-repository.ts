// The rows of slots; repository.ts reads and writes them with their artefact.

import type { Uploader } from '../access/index.ts';
import type { SlotsTable, TarballScansTable } from '../db/index.ts';
import type { Digest } from '../digests/index.ts';
import type { Slot } from './artefact.ts';
import { SCAN_FACTS, toScanFacts } from './scan-repository.ts';

/** A slot, with the facts of its scan if they were selected. */
type SlotRow = SlotsTable & Partial<Pick<TarballScansTable, (typeof SCAN_FACTS)[number]>>;

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
    uploadedBy: withShortId(JSON.parse(row.uploaded_by) as Uploader),
    hasNativeModules: row.has_native_modules === 1,
    hasInstallScripts: row.has_install_scripts === 1,
    ...toScanFacts(row),
  };
}

/** Older versions stored the short id of a key with the prefix of keys: `reg_1a2b3c4d`. */
export function withShortId(uploader: Uploader): Uploader {
  return 'shortId' in uploader ? { ...uploader, shortId: uploader.shortId.replace(/^reg_/, '') } : uploader;
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
