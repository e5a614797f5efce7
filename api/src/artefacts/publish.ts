// Publishing: bytes stream into a blob and through the scanner in one pass, then one transaction swaps the slot.
// The multipart body is http/'s; the steps that resumable uploads share are in publishing.ts.

import { Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Actor } from '../access/index.ts';
import { UploadTooLargeError, type MultipartFile } from '../http/index.ts';
import type { Intake } from './intake.ts';
import type { Publishing, Received, Target, UploadFields } from './publishing.ts';

/** Reads the form: calls back with the file as it arrives, resolves with the other fields when the body has ended. */
export type ReadForm = (onFile: (file: MultipartFile) => Promise<void>) => Promise<UploadFields>;

export type Publish = (actor: Actor, target: Target, readForm: ReadForm) => Promise<string>;

export interface PublishOptions {
  publishing: Publishing;
  maxUploadBytes: number;
  /** Told of what went wrong after the answer was already certain. */
  onError: (error: unknown) => void;
}

/**
 * Makes the function that takes in one upload and resolves with the artefact's document as JSON.
 * It throws what Publishing.announce and Publishing.commit do, tarball and manifest errors, upload_too_large, storage_full;
 * nothing is stored then.
 */
export function createPublish({ publishing, maxUploadBytes, onError }: PublishOptions): Publish {
  return async (actor, target, readForm) => {
    await publishing.announce(actor, target);
    const intake = await publishing.begin(target.format);
    try {
      return await publishing.commit(actor, target, await receive(intake, readForm, maxUploadBytes), intake);
    } catch (error) {
      await intake.abort().catch(onError);
      throw error;
    }
  };
}

async function receive(intake: Intake, readForm: ReadForm, maxUploadBytes: number): Promise<Received> {
  let fileName: string | undefined;
  const fields = await readForm(async (file) => {
    fileName = file.fileName;
    await stream(file.content, intake, maxUploadBytes);
  });
  return { fields, fileName, ...await intake.finish() };
}

/** One pass, chunk by chunk as they arrive: an async iterator would join them first, copying every byte once more. */
async function stream(content: Readable, intake: Intake, maxUploadBytes: number): Promise<void> {
  const take = async (chunk: Uint8Array): Promise<void> => {
    if (intake.sizeBytes + chunk.length > maxUploadBytes) throw new UploadTooLargeError(`This registry takes uploads of at most ${maxUploadBytes} bytes (MAX_UPLOAD_BYTES).`);
    await intake.write(chunk);
  };
  const received = pipeline(content, new Writable({ write(chunk: Uint8Array, _encoding, done) { take(chunk).then(() => done(), done); } }));
  // A scan may fail while the next chunk is not there yet.
  await (intake.failed ? Promise.race([received, intake.failed]) : received);
}
