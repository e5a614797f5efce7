// Thumbnails of artefacts. Each image has its own id, which changes with the image, so that it can be cached forever.

import { randomBytes } from 'node:crypto';
import { changeAs, enforce, policy, type Actor, type Caller } from '../access/index.ts';
import type { ArtefactServices } from '../artefacts/index.ts';
import type { Database, Tx } from '../db/index.ts';
import { ThumbnailNotFoundError } from './errors.ts';
import { toThumbnail, type ThumbnailImage } from './image.ts';
import { thumbnailRepository } from './repository.ts';

export interface ThumbnailOptions {
  database: Database;
  artefacts: ArtefactServices;
}
export interface ThumbnailData {
  id: string;
  contentType: string;
  data: Uint8Array;
}

const ID_BYTES = 16;

export function createThumbnails({ database, artefacts }: ThumbnailOptions) {
  const find = async (id: string): Promise<ThumbnailData> => {
    const row = await thumbnailRepository(database.db).find(id);
    if (!row) throw new ThumbnailNotFoundError('There is no thumbnail with this id: it may have been replaced.');
    return { id, contentType: row.content_type, data: row.data };
  };
  const thumbnailIdOf = async (caller: Caller, artefactId: string): Promise<string> => {
    const thumbnail = await artefacts.read.thumbnail(caller, artefactId);
    if (!thumbnail) throw new ThumbnailNotFoundError('This artefact has no thumbnail.');
    return thumbnail.id;
  };

  return {
    /**
     * Sets the thumbnail and returns the artefact's document as JSON.
     * @throws image_invalid, artefact_not_found, mirrored_read_only
     */
    async set(actor: Actor, artefactId: string, readImage: () => Promise<Uint8Array>): Promise<string> {
      enforce(policy.editArtefact(actor.caller));
      await artefacts.read.get(actor.caller, artefactId);
      const { contentType, data, width, height } = await toThumbnail(await readImage());
      const id = randomBytes(ID_BYTES).toString('base64url');
      return changeAs(database, actor, policy.editArtefact, async (tx, current) => {
        const document = await artefacts.edit.setThumbnail(tx, current, artefactId, { id, width, height });
        await thumbnailRepository(tx).put({ id, artefact_id: artefactId, content_type: contentType, data });
        return document;
      });
    },

    /** @throws artefact_not_found, mirrored_read_only, thumbnail_not_found */
    async delete(actor: Actor, artefactId: string): Promise<void> {
      enforce(policy.editArtefact(actor.caller));
      await thumbnailIdOf(actor.caller, artefactId);
      await changeAs(database, actor, policy.editArtefact, async (tx, current) => {
        await artefacts.edit.setThumbnail(tx, current, artefactId, undefined);
        await thumbnailRepository(tx).deleteOf(artefactId);
      });
    },

    /** Converts an image without storing it. @throws image_invalid */
    convert: (bytes: Uint8Array): Promise<ThumbnailImage> => toThumbnail(bytes),

    /** Returns the id of the artefact that owns a thumbnail. */
    ownerOf: async (id: string): Promise<string | undefined> =>
      (await thumbnailRepository(database.db).find(id))?.artefact_id,

    /** Returns a stored image, as `convert` returned it. */
    async findWithSize(id: string): Promise<(ThumbnailImage & { id: string }) | undefined> {
      const row = await thumbnailRepository(database.db).find(id);
      if (!row) return undefined;
      const thumbnail = await artefacts.read.thumbnail({ kind: 'internal' }, row.artefact_id);
      return thumbnail?.id === id
        ? {
            id,
            contentType: row.content_type as ThumbnailImage['contentType'],
            data: row.data,
            width: thumbnail.width,
            height: thumbnail.height,
          }
        : undefined;
    },

    /** Sets or removes the thumbnail of a mirror, in the transaction that commits the mirror. */
    async mirror(tx: Tx, artefactId: string, image: (ThumbnailImage & { id: string }) | undefined): Promise<void> {
      const thumbnails = thumbnailRepository(tx);
      if (image)
        await thumbnails.put({
          id: image.id,
          artefact_id: artefactId,
          content_type: image.contentType,
          data: image.data,
        });
      else await thumbnails.deleteOf(artefactId);
    },

    /** Returns an image by its own id, to anybody. @throws thumbnail_not_found */
    find,

    /** Returns the image of an artefact that the caller may see. @throws artefact_not_found, thumbnail_not_found */
    findOf: async (caller: Caller, artefactId: string): Promise<ThumbnailData> =>
      find(await thumbnailIdOf(caller, artefactId)),
  };
}

export type ThumbnailService = ReturnType<typeof createThumbnails>;
