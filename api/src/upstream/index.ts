export { createUpstream, type Upstream } from './upstream.ts';
export { sourceOf, type UpstreamBytes, type UpstreamSlot, type UpstreamSource } from './bytes.ts';
export type { UpstreamAccess } from './client.ts';
export { fingerprintOf, readUpstreamArtefact, THUMBNAIL_ID, type UpstreamArtefact } from './documents.ts';
export { RemoteAnswerInvalidError, RemoteRefusedError, RemoteUnavailableError, SlotChangedError } from './errors.ts';
