// The image of an artefact: kept under an id of its own that changes with it, so that it can be cached for ever.

import { randomBytes } from 'node:crypto';
import { enforce, policy, type Actor, type Caller } from '../access/index.ts';
import type { ArtefactServices } from '../artefacts/index.ts';
import type { Database } from '../db/index.ts';
import { ThumbnailNotFoundError } from './errors.ts';
import { toThumbnail } from './image.ts';
import { thumbnailRepository } from './repository.ts';

export interface ThumbnailOptions { database: Database; artefacts: ArtefactServices }
export interface ThumbnailData { id: string; contentType: string; data: Uint8Array }

const ID_BYTES = 16;

export function createThumbnails({ database, artefacts }: ThumbnailOptions) {
  const find = async (id: string): Promise<ThumbnailData> => {
    const row = await thumbnailRepository(database.db).find(id);
    if (!row) throw new ThumbnailNotFoundError('There is no thumbnail with this id: it may have been replaced.');
    return { id, contentType: row.content_type, data: row.data };
  };
  const idOf = async (caller: Caller, artefactId: string): Promise<string> => {
    const id = await artefacts.read.thumbnailId(caller, artefactId);
    if (id === undefined) throw new ThumbnailNotFoundError('This artefact has no thumbnail.');
    return id;
  };

  return {
    /** Sets the thumbnail and returns the artefact's document as JSON. @throws image_invalid, artefact_not_found, mirrored_read_only */
    async set(actor: Actor, artefactId: string, readImage: () => Promise<Uint8Array>): Promise<string> {
      enforce(policy.editArtefact(actor.caller));
      await artefacts.read.get(actor.caller, artefactId);
      const { contentType, data, width, height } = await toThumbnail(await readImage());
      const id = randomBytes(ID_BYTES).toString('base64url');
      return database.transaction(async (tx) => {
        const document = await artefacts.edit.setThumbnail(tx, actor, artefactId, { id, width, height });
        await thumbnailRepository(tx).put({ id, artefact_id: artefactId, content_type: contentType, data });
        return document;
      });
    },

    /** @throws artefact_not_found, mirrored_read_only, thumbnail_not_found */
    async delete(actor: Actor, artefactId: string): Promise<void> {
      enforce(policy.editArtefact(actor.caller));
      await idOf(actor.caller, artefactId);
      await database.transaction(async (tx) => {
        await artefacts.edit.setThumbnail(tx, actor, artefactId, undefined);
        await thumbnailRepository(tx).deleteOf(artefactId);
      });
    },

    /** Returns an image by its own id, to anybody. @throws thumbnail_not_found */
    find,

    /** Returns the image of an artefact that the caller may see. @throws artefact_not_found, thumbnail_not_found */
    findOf: async (caller: Caller, artefactId: string): Promise<ThumbnailData> => find(await idOf(caller, artefactId)),
  };
}

export type ThumbnailService = ReturnType<typeof createThumbnails>;
