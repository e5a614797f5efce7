// Sends a response chunk by chunk from a callback, without streams.

import type { FastifyReply } from 'fastify';

export interface BytesAnswer {
  status: number;
  headers: Record<string, string>;
}

/** Passes chunks to `write` one after another. A chunk's memory may be reused once its `write` has settled. */
export type ByteSource = (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>;

/**
 * Sends the headers with the first chunk, so that an earlier failure of the source becomes a problem document. A later
 * failure closes the connection, from which the client sees that the response is incomplete.
 */
export async function sendBytes(
  reply: FastifyReply,
  { status, headers }: BytesAnswer,
  source: ByteSource,
): Promise<FastifyReply> {
  const { raw } = reply;
  const start = () => {
    // First, since it throws for a value that no header may have: then the request is still answered with a problem.
    raw.writeHead(status, { ...(reply.getHeaders() as Record<string, string>), ...headers });
    reply.hijack();
  };
  // The callback of a write may never be called if the connection closes, so 'close' rejects it.
  let rejectWrite: ((reason: Error) => void) | undefined;
  const onClose = () => {
    rejectWrite?.(new ClientDisconnectedError());
  };
  raw.once('close', onClose);
  reply.request.raw.socket.once('close', onClose);
  try {
    await source(async (chunk) => {
      if (raw.destroyed || reply.request.raw.socket.destroyed) throw new ClientDisconnectedError();
      if (!raw.headersSent) start();
      return new Promise((resolve, reject) => {
        rejectWrite = reject;
        raw.write(chunk, (error) => {
          if (error) reject(error);
          else resolve();
        });
      });
    });
  } catch (error) {
    if (!raw.headersSent && !(error instanceof ClientDisconnectedError)) throw error;
    if (!raw.destroyed && !reply.request.raw.socket.destroyed && !(error instanceof ClientDisconnectedError)) {
      // For the log and the metrics: the client has got the other status.
      raw.statusCode = 500;
      reply.log.error({ err: reply.server.limitStack(error) }, 'download failed half-way');
    }
    reply.hijack();
    raw.destroy();
    return reply;
  } finally {
    reply.request.raw.socket.off('close', onClose);
  }
  if (!raw.headersSent) start();
  raw.end();
  return reply;
}

class ClientDisconnectedError extends Error {}
