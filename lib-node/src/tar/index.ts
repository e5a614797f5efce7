// The tar reader of this library and of the server, which imports it from here, so that both read an archive alike. It
// refuses what two programs would read differently. This folder imports only node-tar.

export { createTarReader } from './reader.ts';
export type { TarReader } from './reader.ts';
export type { TarEntry } from './header.ts';
export { collectContent } from './entry-content.ts';
export type { EntrySink } from './entry-content.ts';
export { TarError } from './tar-error.ts';
export type { TarErrorCode } from './tar-error.ts';
