// Sample artefacts to download, and helpers that read the responses.

import { createHash, randomBytes } from 'node:crypto';
import { npmTarball } from '../support/tarball-builder.ts';
import type { TestServer } from '../support/test-server.ts';
import { uploadArtefact } from './documents.ts';

export const NOARCH = await npmTarball({ version: '1.0.0' });
export const X64 = await npmTarball({ version: '2.0.0', files: { 'node_modules/n/n.node': randomBytes(5000) } });
export const FILE = randomBytes(300_000);
export const FILE_NAME = `l'été (1)*.mbtiles`;

export async function uploadSamples(server: TestServer): Promise<void> {
  await uploadArtefact(server, '@acme/both@1', { file: NOARCH });
  await uploadArtefact(server, '@acme/both@1', { file: X64, fields: { architecture: 'x64' } });
  await uploadArtefact(server, 'native', { file: NOARCH, fields: { architecture: 'arm64' } });
  await uploadArtefact(server, 'native', { file: X64, fields: { architecture: 'x64' } });
  await uploadArtefact(server, 'maps/france', { format: 'file', file: FILE, fields: { fileName: FILE_NAME } });
  await uploadArtefact(server, 'maps/empty', { format: 'file', file: new Uint8Array() });
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

export async function bytesOf(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}

export function headersOf({ headers }: Response, ...names: string[]): Record<string, string | null> {
  return Object.fromEntries(names.map((name) => [name, headers.get(name)]));
}
