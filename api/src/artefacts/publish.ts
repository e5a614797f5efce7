// Publishes uploads: authorise, open an ingest, receive the bytes, commit. A form passes through `publish`; resumable
// uploads (uploads/), mirrors and bundles use the same steps.

import { Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { areScopesDecided, canSee, changeAs, enforce, policy, type Actor, type Caller } from '../access/index.ts';
import type { Blobs } from '../blobs/index.ts';
import type { Database, Tx } from '../db/index.ts';
import { UploadTooLargeError, type FormPart } from '../http/index.ts';
import type { TarballLimits, TarballScanners } from '../tarballs/index.ts';
import type { Format } from './artefact.ts';
import {
  commitUpload,
  type CommitOptions,
  type ReceivedUpload,
  type Target,
  type UploadField,
  type UploadFields,
} from './commit.ts';
import { createIngest, type Ingest } from './ingest.ts';
import { assertArchitecture, assertArtefactId, assertCategory, assertFileName, conflictOf } from './operations.ts';
import { artefactRepository } from './repository.ts';
import type { TransferCounts } from './transfer-counts.ts';
import { parseLocalisedField } from './upload-fields.ts';

export { UPLOAD_FIELDS, type ReceivedUpload, type Target, type UploadFields } from './commit.ts';

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
   * Publishes the file of a form, and returns the document as JSON, rendered for the uploader. The form is not read
   * before the caller is authorised. If it throws, nothing is stored.
   * @throws the errors of `authorize`, `open`, `commit` and of reading the form, tarball and manifest errors,
   *   upload_too_large
   */
  publish(actor: Actor, target: Target, form: AsyncIterable<FormPart<UploadField>>): Promise<string>;
  /**
   * Rejects an upload before its first byte, as far as it can be checked by then. The commit checks again.
   *
   * @param fields of protocols that send them before the bytes
   * @throws the errors of policy.authorizeUpload, artefact_id_invalid; those of conflictOf, for an artefact that the
   *   caller may see, or if no content can violate the scopes any more; for fields category_invalid,
   *   architecture_invalid, file_name_invalid, field_invalid
   */
  authorize(actor: Actor, target: Target, fields?: UploadFields): Promise<void>;
  /** Opens an ingest for the bytes. @throws storage_full, storage_unavailable */
  open(format: Format): Promise<Ingest>;
  /** Resumes an ingest of another process, or from before a restart. @throws the errors of Blobs.resume */
  resume(format: Format, storageKey: string): Promise<Ingest>;
  /** Deletes the bytes of an abandoned ingest, unless they were committed. */
  discard(storageKey: string): Promise<void>;
  /**
   * Turns an upload into a slot of the artefact, and returns the document as JSON, rendered for the uploader. If it
   * throws, the upload is unchanged.
   *
   * @param alongside runs in the same transaction
   * @throws the errors of policy.commitUpload, session_ended, api_key_revoked, those of conflictOf, and for fields
   *   those of `authorize`
   */
  commit(
    actor: Actor,
    target: Target,
    upload: ReceivedUpload,
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
            await receive(part.content, ingest, limits.maxUploadBytes);
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
      if (fields) assertFields(target, fields, categories);
      const existing = (await artefactRepository(database.db).find(target.id))?.artefact;
      const conflict = conflictOf(caller, existing, target.format);
      const presentCategory = conflict ? undefined : existing?.category;
      const category =
        fields?.category ?? (fields && target.format === 'file' ? (presentCategory ?? 'other') : undefined);
      const declared = { ...target, ...(category !== undefined && { category }) };
      // Of an artefact that it may not see, a key learns only once it is certain that its scopes allow the upload.
      const isKnown = existing !== undefined && (canSee(caller, existing) || areScopesDecided(caller, declared));
      enforce(
        policy.authorizeUpload(caller, {
          ...declared,
          ...(isKnown && presentCategory !== undefined && { presentCategory }),
        }),
      );
      if (isKnown && conflict) throw conflict;
    },

    open: async (format) => createIngest(await blobs.begin(), format, options),
    resume: async (format, storageKey) => createIngest(await blobs.resume(storageKey), format, options),
    discard: (storageKey) => blobs.discard(storageKey),

    async commit(actor, target, upload, alongside) {
      const mayUpload = (caller: Caller) => policy.startUpload(caller, target.id);
      const document = await changeAs(database, actor, mayUpload, async (tx, current) => {
        const rendered = await commitUpload(tx, current, target, upload, options);
        await alongside?.(tx, rendered);
        return rendered;
      });
      upload.blob.settle().catch(onError);
      counts.countUpload(target.id, upload.blob.sizeBytes);
      return document;
    },
  };
  return publishing;
}

/** Writes chunks as they arrive. An async iterator would join them first, which copies every byte once more. */
async function receive(content: Readable, ingest: Ingest, maxUploadBytes: number): Promise<void> {
  const write = async (chunk: Uint8Array): Promise<void> => {
    if (ingest.sizeBytes + chunk.length > maxUploadBytes)
      throw new UploadTooLargeError(
        `This registry accepts uploads of at most ${maxUploadBytes} bytes (MAX_UPLOAD_BYTES).`,
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
  // The scan may fail while the next chunk has not arrived.
  await (ingest.failed ? Promise.race([received, ingest.failed]) : received);
}

function assertFields({ id, format }: Target, fields: UploadFields, categories: readonly string[]): void {
  if (fields.category !== undefined) assertCategory(fields.category, format, categories);
  if (fields.architecture !== undefined) assertArchitecture(fields.architecture);
  if (fields.fileName !== undefined && fields.fileName !== id) assertFileName(fields.fileName);
  parseLocalisedField('title', fields.title);
  parseLocalisedField('description', fields.description);
}
