// Client for resumable uploads (tus 1.0): after a restart of the server, it continues at the server's offset.

import { INTERNAL } from './berth-process.ts';
import type { Expectations } from './expectations.ts';
import { digestOf } from './invariants.ts';
import type { ServerProcess } from './processes.ts';

const PIECES = 3;
const TUS = { ...INTERNAL, 'tus-resumable': '1.0.0' };

interface Unfinished {
  path: string;
  slot: string;
  bytes: Uint8Array;
  acknowledgedBytes: number;
}

export interface ResumableClient {
  /** Whether an upload was interrupted. */
  hasUnfinished(): boolean;
  begin(
    berth: ServerProcess,
    expectations: Expectations,
    slot: { id: string; architecture: string },
    bytes: Uint8Array,
  ): Promise<void>;
  resume(berth: ServerProcess, expectations: Expectations): Promise<void>;
}

export function createResumableClient(): ResumableClient {
  let unfinished: Unfinished | undefined;

  async function sendRest(berth: ServerProcess, upload: Unfinished, from: number): Promise<string | undefined> {
    const pieceBytes = Math.ceil(upload.bytes.length / PIECES);
    for (let offset = from; offset < upload.bytes.length;) {
      const body = upload.bytes.slice(offset, offset + pieceBytes);
      const response = await fetch(berth.url + upload.path, {
        method: 'PATCH',
        headers: { ...TUS, 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' },
        body,
      });
      const text = await response.text();
      if (response.status !== 204) return describeResponse('PATCH', response, text);
      offset += body.length;
      upload.acknowledgedBytes = offset;
    }
    unfinished = undefined;
    return undefined;
  }

  return {
    hasUnfinished: () => unfinished !== undefined,

    async begin(berth, expectations, { id, architecture }, bytes) {
      await expectations.attempt(`${id} ${architecture}`, digestOf(bytes), async () => {
        const metadata = Object.entries({ id, format: 'npm', architecture })
          .map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`)
          .join(',');
        const response = await fetch(`${berth.url}/api/v1/uploads`, {
          method: 'POST',
          headers: { ...TUS, 'upload-length': String(bytes.length), 'upload-metadata': metadata },
        });
        const text = await response.text();
        const location = response.headers.get('location');
        if (response.status !== 201 || location === null) return describeResponse('POST', response, text);
        unfinished = {
          path: new URL(location, response.url).pathname,
          slot: `${id} ${architecture}`,
          bytes,
          acknowledgedBytes: 0,
        };
        return sendRest(berth, unfinished, 0);
      });
    },

    async resume(berth, expectations) {
      const upload = unfinished;
      if (!upload) return;
      await expectations.attempt(upload.slot, digestOf(upload.bytes), async () => {
        const response = await fetch(berth.url + upload.path, { method: 'HEAD', headers: TUS });
        if (response.status !== 200) return describeResponse('HEAD', response, '');
        const offset = Number(response.headers.get('upload-offset'));
        if (offset < upload.acknowledgedBytes)
          return `${upload.acknowledgedBytes - offset} acknowledged bytes of a resumable upload are lost`;
        return sendRest(berth, upload, offset);
      });
    },
  };
}

function describeResponse(method: string, { status }: Response, text: string): string {
  return `${method} of a resumable upload got status ${status}: ${text}`;
}
