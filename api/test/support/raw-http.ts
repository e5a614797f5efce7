// A raw HTTP connection, for requests that fetch cannot send.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
  /** Statuses of interim responses, such as 100. */
  interim: number[];
}

export interface RawConnection {
  readonly socket: Socket;
  /** Writes and waits until the buffer is flushed; also resolves if the server closes the connection. */
  send(bytes: string | Uint8Array): Promise<void>;
  /** Waits for the next interim response and returns its status. */
  interim(): Promise<number>;
  /** Waits for the response. Rejects if the connection closes before its end. */
  answer(): Promise<RawAnswer>;
  /** Waits until the server has closed the connection. */
  closed(): Promise<void>;
  end(): void;
}

export async function openConnection(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  await once(socket, 'connect');
  let received = Buffer.alloc(0);
  const interim: number[] = [];
  const ended = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
  });
  // Errors show as a missing response.
  socket.on('error', () => undefined);

  async function until<T>(read: () => T | undefined): Promise<T> {
    for (;;) {
      const result = read();
      if (result !== undefined) return result;
      if (socket.closed)
        throw new Error(`the connection ended after ${JSON.stringify(received.toString('latin1').slice(0, 200))}`);
      await Promise.race([once(socket, 'data').catch(() => undefined), ended]);
    }
  }

  function takeHead(): { status: number; headers: Record<string, string> } | undefined {
    const end = received.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const [statusLine = '', ...lines] = received.toString('latin1', 0, end).split('\r\n');
    received = received.subarray(end + 4);
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    return { status: Number(statusLine.split(' ')[1]), headers };
  }

  return {
    socket,
    async send(bytes) {
      if (!socket.write(bytes)) await Promise.race([once(socket, 'drain').catch(() => undefined), ended]);
    },
    async interim() {
      const { status } = await until(takeHead);
      interim.push(status);
      return status;
    },
    async answer() {
      let head = await until(takeHead);
      for (; head.status < 200; head = await until(takeHead)) interim.push(head.status);
      const sizeBytes = Number(head.headers['content-length'] ?? 0);
      const body = await until(() =>
        received.length >= sizeBytes ? received.toString('utf8', 0, sizeBytes) : undefined,
      );
      received = received.subarray(sizeBytes);
      return { ...head, body, interim };
    },
    closed: () => ended,
    end: () => {
      socket.destroy();
    },
  };
}

/** Formats the head of a request: `requestHead('POST', '/x', { 'content-length': 3 })`. */
export function requestHead(method: string, path: string, headers: Record<string, string | number> = {}): string {
  const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

export interface RawPart {
  headers: string[];
  body: string | Uint8Array;
}

export const BOUNDARY = 'a-boundary-of-the-tests';
export const MULTIPART_TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

/** Formats a multipart body from exactly these parts. */
export function multipartBody(parts: readonly RawPart[], end = `--${BOUNDARY}--\r\n`): Buffer {
  const pieces = parts.flatMap(({ headers, body }) => [
    `--${BOUNDARY}\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n`,
    body,
    '\r\n',
  ]);
  return Buffer.concat([...pieces, end].map((piece) => Buffer.from(piece)));
}

export function fieldPart(name: string, value: string): RawPart {
  return { headers: [`content-disposition: form-data; name="${name}"`], body: value };
}

export function filePart(
  body: string | Uint8Array,
  { name = 'file', fileName = 'plugin.tgz' }: { name?: string; fileName?: string } = {},
): RawPart {
  return {
    headers: [
      `content-disposition: form-data; name="${name}"; filename="${fileName}"`,
      'content-type: application/octet-stream',
    ],
    body,
  };
}
