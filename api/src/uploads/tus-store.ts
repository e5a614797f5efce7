// The store and the locker that @tus/server asks, made for one request: they act for its caller, and see its body
// without the library's streams between, which would copy every byte three times.

import type { Readable } from 'node:stream';
import { DataStore, Upload, type Locker } from '@tus/utils';
import type { Actor } from '../access/index.ts';
import { UploadAbortedError } from '../http/index.ts';
import type { Claim } from './claims.ts';
import { readMetadata, writeMetadata } from './operations.ts';
import type { ReadBody, UploadService } from './service.ts';
import { EXPIRY_MS, type ResumableUpload } from './upload.ts';

export interface TusRequest {
  actor: Actor;
  /** Of the upload, new ones included. */
  id: string;
  isNew: boolean;
  readBody: ReadBody;
}

export class TusStore extends DataStore implements Locker {
  override readonly extensions = ['creation', 'creation-with-upload', 'expiration', 'termination'];
  readonly #uploads: UploadService;
  readonly #request: TusRequest;
  #claim: Claim | undefined;
  #upload: ResumableUpload | undefined;
  /** What the library has been told, and reads again when it answers. */
  #told: Upload | undefined;

  constructor(uploads: UploadService, request: TusRequest) {
    super();
    this.#uploads = uploads;
    this.#request = request;
  }

  /** The upload of this request, as far as it was touched. */
  get upload(): ResumableUpload | undefined { return this.#upload; }

  /** A new upload is claimed by `create`, since it has no row before. */
  newLock(): { lock: () => Promise<void>; unlock: () => Promise<void> } {
    return {
      lock: async () => { if (!this.#request.isNew) this.#claim = await this.#uploads.claim(this.#request.id); },
      unlock: async () => { await this.#claim?.release(); },
    };
  }

  override async create(file: Upload): Promise<Upload> {
    const { actor, id } = this.#request;
    const sizeBytes = file.size ?? 0;
    this.#claim = await this.#uploads.create(actor, { id, sizeBytes, ...readMetadata(file.metadata ?? {}) });
    // Of an upload of no bytes this is the last request.
    this.#upload = await this.#uploads.look(actor, this.#claim);
    this.#told = file;
    return file;
  }

  override async getUpload(): Promise<Upload> {
    const upload = this.#upload ??= await this.#uploads.look(this.#request.actor, this.#held());
    return this.#told = new Upload({
      id: upload.id,
      size: upload.sizeBytes,
      offset: upload.receivedBytes ?? 0,
      metadata: writeMetadata(upload),
      creation_date: new Date(Date.parse(upload.expiresAt) - EXPIRY_MS).toISOString(),
    });
  }

  override async write(stream: Readable): Promise<number> {
    stream.resume();
    const { actor, isNew, readBody } = this.#request;
    const upload = this.#upload!;
    try {
      await this.#uploads.append(actor, upload, this.#held(), readBody);
    } catch (error) {
      // Nobody has been told the URL of a new one yet.
      if (isNew && error instanceof UploadAbortedError) await this.#uploads.remove(this.#held());
      throw error;
    }
    // From the last byte on, and not from the first, the library counts until Upload-Expires.
    if (this.#told) this.#told.creation_date = new Date().toISOString();
    return upload.receivedBytes ?? 0;
  }

  override async remove(): Promise<void> { await this.#uploads.remove(this.#held()); }

  override getExpiration(): number { return EXPIRY_MS; }

  #held(): Claim {
    if (!this.#claim) throw new Error('the library asks for an upload that it has not locked');
    return this.#claim;
  }
}
