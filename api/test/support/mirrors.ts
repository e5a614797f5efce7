// Mirrors without a remote registry behind them.

import { query } from './stored-state.ts';
import type { TestServer } from './test-server.ts';

/** Makes a local artefact a mirror of `origin`, behind the server's back. */
export async function makeMirror(server: TestServer, id: string, origin = 'https://other.example'): Promise<void> {
  await query(server, `update artefacts set origin = '${origin}' where id = '${id}'`);
  await query(server, `update artefact_documents set record = '{"origin":"${origin}",' || substr(record, 2) where artefact_id = '${id}'`);
}
