// Curation: edits metadata and access, deletes slots and artefacts.

import {
  accountMatches,
  changeAs,
  normaliseAccount,
  NotVisibleError,
  policy,
  type Account,
  type Actor,
  type CurrentActor,
} from '../access/index.ts';
import type { Database, Tx } from '../db/index.ts';
import { forgetAudience, recordChange } from '../events/index.ts';
import { audienceOf, editEvents, slotRemovedEvent } from './artefact-events.ts';
import type { Artefact, LocalisedText } from './artefact.ts';
import { renderDocument, renderDocuments } from './document.ts';
import { MirroredReadOnlyError, SlotNotFoundError } from './errors.ts';
import { assertCategory, monotonicDate, nextDataDates } from './operations.ts';
import { artefactRepository, type StoredArtefact } from './repository.ts';
import type { Patch } from './schemas.ts';

export interface EditOptions {
  database: Database;
  categories: readonly string[];
  /** Called in the transaction that deletes an artefact, to delete its dependent data. */
  onArtefactDeleted: readonly ((tx: Tx, id: string) => Promise<void>)[];
}

/** Fields of a mirror that can be edited locally. */
const LOCAL_FIELDS = new Set(['public', 'privateAccess']);

export type ArtefactEdit = ReturnType<typeof createEdit>;

export function createEdit({ database, categories, onArtefactDeleted }: EditOptions) {
  return {
    /**
     * Changes metadata and returns the document as JSON.
     * @throws artefact_not_found, mirrored_read_only, category_invalid
     */
    async patch(actor: Actor, id: string, patch: Patch): Promise<string> {
      return changeAs(database, actor, policy.editArtefact, async (tx, current) => {
        const { artefact, slots } = await lockExisting(tx, id);
        const fields = Object.keys(patch);
        if (fields.some((field) => !LOCAL_FIELDS.has(field))) assertNotMirror(artefact);
        if (fields.length === 0) return renderDocument(artefact, slots, 'full').json;
        const changed = applyPatch(artefact, patch);
        if (patch.category !== undefined) assertCategory(changed.category, changed.format, categories);
        const artefacts = artefactRepository(tx);
        const documents = renderDocuments(changed, slots);
        await artefacts.update(changed, documents);
        if ('privateAccess' in patch) await artefacts.putPrivateAccess(id, changed.privateAccess);
        await recordChange(tx, current, {
          action: 'artefact.edit',
          targetType: 'artefact',
          targetId: id,
          details: { fields, public: changed.public, privateAccess: changed.privateAccess },
          events: editEvents(artefact, changed),
        });
        return documents.full.json;
      });
    },

    /**
     * Sets or removes the thumbnail of an artefact in the caller's transaction; returns the document as JSON.
     * @throws artefact_not_found, mirrored_read_only
     */
    async setThumbnail(tx: Tx, actor: CurrentActor, id: string, thumbnail: Artefact['thumbnail']): Promise<string> {
      const { artefact, slots } = await lockExisting(tx, id);
      assertNotMirror(artefact);
      const changed = { ...artefact, thumbnail, updatedAt: monotonicDate(new Date(), artefact.updatedAt) };
      const documents = renderDocuments(changed, slots);
      await artefactRepository(tx).update(changed, documents);
      await recordChange(tx, actor, {
        action: thumbnail ? 'artefact.set-thumbnail' : 'artefact.delete-thumbnail',
        targetType: 'artefact',
        targetId: id,
        events: editEvents(artefact, changed),
      });
      return documents.full.json;
    },

    /** Removes a deleted account from all access lists, so that a later account with its id inherits no access. */
    async forgetAccount(tx: Tx, actor: CurrentActor, account: Account): Promise<void> {
      const artefacts = artefactRepository(tx);
      for (const id of await artefacts.findSharedWith(account)) {
        const stored = await artefacts.lock(id);
        if (!stored) continue; // Deleted since the query
        const { artefact, slots } = stored;
        const privateAccess = artefact.privateAccess.filter((entry) => !accountMatches(account, entry));
        const changed = { ...artefact, privateAccess, updatedAt: monotonicDate(new Date(), artefact.updatedAt) };
        await artefacts.update(changed, renderDocuments(changed, slots));
        await artefacts.putPrivateAccess(id, privateAccess);
        await recordChange(tx, actor, {
          action: 'artefact.edit',
          targetType: 'artefact',
          targetId: id,
          details: { fields: ['privateAccess'], public: changed.public, privateAccess },
          events: editEvents(artefact, changed),
        });
      }
      await forgetAudience(tx, account);
    },

    /**
     * Deletes an artefact. The sweep deletes its bytes once nothing else refers to them.
     * @throws artefact_not_found, mirrored_read_only
     */
    async delete(actor: Actor, id: string): Promise<void> {
      await changeAs(database, actor, policy.editArtefact, async (tx, current) => {
        const { artefact, slots } = await lockExisting(tx, id);
        assertNotMirror(artefact);
        for (const hook of onArtefactDeleted) await hook(tx, id);
        await artefactRepository(tx).delete(id);
        await recordChange(tx, current, {
          action: 'artefact.delete',
          targetType: 'artefact',
          targetId: id,
          details: { digests: slots.map(({ digest }) => digest) },
          events: [{ type: 'artefact.deleted', subject: id, data: { format: artefact.format } }],
          audience: audienceOf(artefact),
        });
      });
    },

    /** Deletes one slot. @throws artefact_not_found, slot_not_found, mirrored_read_only */
    async deleteSlot(actor: Actor, id: string, architecture: string): Promise<void> {
      await changeAs(database, actor, policy.editArtefact, async (tx, current) => {
        const { artefact, slots } = await lockExisting(tx, id);
        assertNotMirror(artefact);
        const deleted = slots.find((slot) => slot.architecture === architecture);
        if (!deleted || artefact.format !== 'npm')
          throw new SlotNotFoundError(
            `The artefact has no slot ${architecture}: its document lists the slots in tarballs.`,
          );
        const artefacts = artefactRepository(tx);
        const changed = { ...artefact, ...nextDataDates(artefact, new Date()) };
        await artefacts.update(
          changed,
          renderDocuments(
            changed,
            slots.filter((slot) => slot !== deleted),
          ),
        );
        await artefacts.deleteSlot(id, architecture);
        await recordChange(tx, current, {
          action: 'artefact.delete-slot',
          targetType: 'artefact',
          targetId: id,
          details: { architecture, digest: deleted.digest },
          events: [slotRemovedEvent(changed, deleted)],
        });
      });
    },
  };
}

async function lockExisting(tx: Tx, id: string): Promise<StoredArtefact> {
  const stored = await artefactRepository(tx).lock(id);
  if (!stored) throw new NotVisibleError('There is no artefact with this id.');
  return stored;
}

function assertNotMirror({ origin }: Artefact): void {
  if (origin)
    throw new MirroredReadOnlyError(
      `This artefact is a mirror of ${origin}: only public and privateAccess can be changed here.`,
    );
}

/** Applies a patch. null unsets a field, or resets it to its default if it cannot be unset. */
function applyPatch(artefact: Artefact, patch: Patch): Artefact {
  const changed = { ...artefact, updatedAt: monotonicDate(new Date(), artefact.updatedAt) };
  if (patch.title !== undefined) changed.title = withoutEmptyTexts(patch.title);
  if (patch.description !== undefined) changed.description = withoutEmptyTexts(patch.description);
  if (patch.group !== undefined) changed.group = withoutEmptyTexts(patch.group);
  if (patch.documentation !== undefined) changed.documentation = patch.documentation ?? undefined;
  if (patch.category !== undefined) changed.category = patch.category ?? 'other';
  if (patch.public !== undefined) changed.public = patch.public ?? false;
  if (patch.deprecated !== undefined) changed.deprecated = patch.deprecated ?? false;
  if (patch.privateAccess !== undefined) changed.privateAccess = uniqueAccounts(patch.privateAccess ?? []);
  return changed;
}

/** Drops empty texts, in each language by itself; returns undefined if none is left. */
function withoutEmptyTexts(text: LocalisedText | null): LocalisedText | undefined {
  return text?.fr || text?.en ? { ...(text.fr && { fr: text.fr }), ...(text.en && { en: text.en }) } : undefined;
}

function uniqueAccounts(accounts: Account[]): Account[] {
  return [
    ...new Map(
      accounts
        .map(normaliseAccount)
        .map((account) => [JSON.stringify([account.type, account.id, account.department ?? '']), account]),
    ).values(),
  ];
}
