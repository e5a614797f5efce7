export { createReader, type Upstream, type UpstreamReader } from './upstream.ts';
export { sourceOf, type UpstreamBytes, type UpstreamSlot, type UpstreamSource } from './bytes.ts';
export type { UpstreamAccess } from './client.ts';
export {
  fingerprintOf,
  readUpstreamArtefact,
  THUMBNAIL_ID,
  type DocumentRules,
  type UpstreamArtefact,
} from './documents.ts';
export { documentOf, MAX_LISTED_ARTEFACTS, toListed, type ListedArtefact, type UpstreamPage } from './listed.ts';
export type { FilePart, ReadApi } from './read-worker.ts';
export { RemoteAnswerInvalidError, RemoteRefusedError, RemoteUnavailableError, SlotChangedError } from './errors.ts';
export { freeMemory } from './client.ts';
