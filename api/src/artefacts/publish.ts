// Publishing: authorise, open, take in the bytes, commit. A form goes through `publish`, top to bottom; resumable
// uploads (uploads/), mirrors and bundles use the same steps.

import { Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { enforce, policy, type Actor } from '../access/index.ts';
import type { Blobs } from '../blobs/index.ts';
import type { Database, Tx } from '../db/index.ts';
import { UploadTooLargeError, type FormPart } from '../http/index.ts';
import type { TarballLimits, TarballScanners } from '../tarballs/index.ts';
import type { Format } from './artefact.ts';
import {
  commitUpload,
  refuseConflicts,
  type CommitOptions,
  type Received,
  type Target,
  type UploadField,
  type UploadFields,
} from './commit.ts';
import { createIngest, type Ingest } from './ingest.ts';
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
  /** Called with errors of background work. */
  onError: (error: unknown) => void;
}

export interface Publishing {
  /**
   * Publishes the file of a form, and returns the artefact's document as JSON, as the uploader gets it. Nothing of the
   * form is read before the caller is authorised; when it throws, nothing is stored.
   * @throws as `authorize`, `open` and `commit`, what reading the form does, tarball and manifest errors,
   *   upload_too_large /
   */
  publish(actor: Actor, target: Target, form: AsyncIterable<FormPart<UploadField>>): Promise<string>;
  /**
   * Refuses an upload before its first byte, as far as can be told by then; the commit checks again.
   *
   * @param fields of a way in that knows them first
   * @throws what policy.announceUpload does, artefact_id_invalid, format_conflict, mirrored; of fields
   *   category_invalid, architecture_invalid, file_name_invalid, field_invalid /
   */
  authorize(actor: Actor, target: Target, fields?: UploadFields): Promise<void>;
  /** Begins to take in the bytes. @throws storage_full, storage_unavailable */
  open(format: Format): Promise<Ingest>;
  /** Continues with bytes that another process took in, or that came before a restart. @throws as Blobs.resume */
  resume(format: Format, storageKey: string): Promise<Ingest>;
  /** Removes bytes that nobody takes in any more, unless they were committed. */
  discard(storageKey: string): Promise<void>;
  /**
   * Makes what was received a slot of the artefact, and returns the artefact's document as JSON, as the uploader gets
   * it. When it throws, what was received is as it was before.
   *
   * @param alongside runs in the same transaction
   * @throws what policy.commitUpload does, api_key_revoked, format_conflict, mirrored, package_name_conflict, and of
   *   fields as `authorize` /
   */
  commit(
    actor: Actor,
    target: Target,
    received: Received,
    alongside?: (tx: Tx, document: string) => Promise<void>,
  ): Promise<string>;
}

export function createPublishing(options: PublishingOptions): Publishing {
  const { database, blobs, categories, counts, limits, onError } = options;

  const publishing: Publishing = {
    async publish(actor, target, form) {
      await publishing.authorize(actor, target);
      const ingest = await publishing.open(target.format);
      try {
        const fields: UploadFields = {};
        let fileName: string | undefined;
        for await (const part of form) {
          if ('content' in part) {
            fileName = part.fileName;
            await takeIn(part.content, ingest, limits.maxUploadBytes);
          } else {
            fields[part.name] = part.text;
          }
        }
        return await publishing.commit(actor, target, { fields, fileName, ...(await ingest.finish()) });
      } catch (error) {
        await ingest.abort().catch(onError);
        throw error;
      }
    },

    async authorize({ caller }, target, fields) {
      enforce(policy.startUpload(caller, target.id));
      assertArtefactId(target.id);
      const present = await artefactRepository(database.db).find(target.id);
      refuseConflicts(present, target.format);
      if (!fields) return;
      assertFields(target, fields, categories);
      const presentCategory = present?.artefact.category;
      const category = fields.category ?? (target.format === 'file' ? (presentCategory ?? 'other') : undefined);
      enforce(
        policy.announceUpload(caller, {
          ...target,
          ...(category !== undefined && { category }),
          ...(presentCategory !== undefined && { presentCategory }),
        }),
      );
    },

    open: async (format) => createIngest(await blobs.begin(), format, options),
    resume: async (format, storageKey) => createIngest(await blobs.resume(storageKey), format, options),
    discard: (storageKey) => blobs.discard(storageKey),

    async commit(actor, target, received, alongside) {
      const document = await database.transaction(async (tx) => {
        const rendered = await commitUpload(tx, actor, target, received, options);
        await alongside?.(tx, rendered);
        return rendered;
      });
      received.blob.settle().catch(onError);
      counts.countUpload(target.id, received.blob.sizeBytes);
      return document;
    },
  };
  return publishing;
}

/** Chunk by chunk as they arrive: an async iterator would join them first, copying every byte once more. */
async function takeIn(content: Readable, ingest: Ingest, maxUploadBytes: number): Promise<void> {
  const write = async (chunk: Uint8Array): Promise<void> => {
    if (ingest.sizeBytes + chunk.length > maxUploadBytes)
      throw new UploadTooLargeError(
        `This registry takes uploads of at most ${maxUploadBytes} bytes (MAX_UPLOAD_BYTES).`,
      );
    await ingest.write(chunk);
  };
  const received = pipeline(
    content,
    new Writable({
      write(chunk: Uint8Array, _encoding, done) {
        write(chunk).then(() => done(), done);
      },
    }),
  );
  // A scan may fail while the next chunk is not there yet.
  await (ingest.failed ? Promise.race([received, ingest.failed]) : received);
}

function assertFields({ id, format }: Target, fields: UploadFields, categories: readonly string[]): void {
  if (fields.category !== undefined) assertCategory(fields.category, format, categories);
  if (fields.architecture !== undefined) assertArchitecture(fields.architecture);
  if (fields.fileName !== undefined && fields.fileName !== id) assertFileName(fields.fileName);
  parseLocalisedField('title', fields.title);
  parseLocalisedField('description', fields.description);
}
