// The tar reader of this library and of the server, which takes it in from here: one place for what an archive means.
// It refuses what two programs would read differently. Nothing in this folder imports anything but node-tar.

export { createTarReader } from './reader.ts';
export type { TarEntry, TarReader } from './reader.ts';
export { collectContent } from './entry-content.ts';
export type { EntryContent } from './entry-content.ts';
export { TarError } from './tar-error.ts';
export type { TarErrorCode } from './tar-error.ts';
