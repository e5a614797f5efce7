// The steps of every upload, multipart (publish.ts) and resumable (uploads/) alike: announced, taken in, committed.

import { enforce, policy, type Actor } from '../access/index.ts';
import type { BlobCreateOptions, Blobs } from '../blobs/index.ts';
import type { Database, Tx } from '../db/index.ts';
import type { TarballLimits, TarballScanners } from '../tarballs/index.ts';
import type { Format } from './artefact.ts';
import { commitUpload, refuseConflicts, type CommitOptions, type Received, type Target, type UploadFields } from './commit.ts';
import { createIntake, type Intake } from './intake.ts';
import { assertArchitecture, assertArtefactId, assertCategory, assertFileName } from './operations.ts';
import { artefactRepository } from './repository.ts';
import type { TransferCounts } from './transfer-counts.ts';
import { parseLocalisedField } from './upload-fields.ts';

export { UPLOAD_FIELDS, type Received, type Target, type UploadFields } from './commit.ts';

export interface PublishingOptions extends CommitOptions {
  database: Database;
  blobs: Blobs;
  limits: TarballLimits & { maxUploadBytes: number };
  scanners: TarballScanners;
  counts: Pick<TransferCounts, 'countUpload'>;
  /** Told of what went wrong after the answer was already certain. */
  onError: (error: unknown) => void;
}

export interface Publishing {
  /**
   * Refuses an upload before its first byte, as far as can be told by then; the commit looks again.
   *
   * @param fields of a way in that knows them first
   * @throws what policy.announceUpload does, artefact_id_invalid, format_conflict, mirrored; of fields category_invalid,
   *   architecture_invalid, file_name_invalid, field_invalid
   */
  announce(actor: Actor, target: Target, fields?: UploadFields): Promise<void>;
  /** Begins to take in the bytes. @throws storage_full, storage_unavailable */
  begin(format: Format, options?: BlobCreateOptions): Promise<Intake>;
  /** Continues with bytes that another process took in, or that came before a restart. @throws as Blobs.resume */
  resume(format: Format, storageKey: string): Promise<Intake>;
  /** Removes bytes that nobody takes in any more, unless they were committed. */
  discard(storageKey: string): Promise<void>;
  /**
   * Makes what was received a slot of the artefact, and returns the artefact's document as JSON, as the uploader gets it.
   * When it throws, the intake is as it was before.
   *
   * @param alongside runs in the same transaction
   * @throws what policy.commitUpload does, api_key_revoked, format_conflict, mirrored, package_name_conflict, and of fields as `announce`
   */
  commit(actor: Actor, target: Target, received: Received, intake: Intake, alongside?: (tx: Tx, document: string) => Promise<void>): Promise<string>;
}

export function createPublishing(options: PublishingOptions): Publishing {
  const { database, blobs, categories, counts, onError } = options;
  return {
    async announce({ caller }, target, fields) {
      enforce(policy.startUpload(caller, target.id));
      assertArtefactId(target.id);
      const present = await artefactRepository(database.db).find(target.id);
      refuseConflicts(present, target.format);
      if (!fields) return;
      assertFields(target, fields, categories);
      const presentCategory = present?.artefact.category;
      const category = fields.category ?? (target.format === 'file' ? presentCategory ?? 'other' : undefined);
      enforce(policy.announceUpload(caller, { ...target, ...(category !== undefined && { category }), ...(presentCategory !== undefined && { presentCategory }) }));
    },
    begin: async (format, uploadOptions) => createIntake(await blobs.begin(uploadOptions), format, options),
    resume: async (format, storageKey) => createIntake(await blobs.resume(storageKey), format, options),
    discard: (storageKey) => blobs.discard(storageKey),
    async commit(actor, target, received, intake, alongside) {
      const document = await database.transaction(async (tx) => {
        const rendered = await commitUpload(tx, actor, target, received, intake, options);
        await alongside?.(tx, rendered);
        return rendered;
      });
      intake.settle().catch(onError);
      counts.countUpload(target.id, received.blob.sizeBytes);
      return document;
    },
  };
}

function assertFields({ id, format }: Target, fields: UploadFields, categories: readonly string[]): void {
  if (fields.category !== undefined) assertCategory(fields.category, format, categories);
  if (fields.architecture !== undefined) assertArchitecture(fields.architecture);
  if (fields.fileName !== undefined && fields.fileName !== id) assertFileName(fields.fileName);
  parseLocalisedField('title', fields.title);
  parseLocalisedField('description', fields.description);
}
