// Answers with bytes that somebody hands over chunk by chunk, past the framework's streams.

import type { FastifyReply } from 'fastify';

export interface BytesAnswer {
  status: number;
  headers: Record<string, string>;
}

/** Hands chunks to `write` one after another; a chunk's memory is free again once its `write` has settled. */
export type ByteSource = (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>;

/**
 * Sends the head with the first chunk, so that a source that fails before it still becomes a problem document.
 * A failure after that can only cut the connection, which tells the client that bytes are missing.
 */
export async function sendBytes(
  reply: FastifyReply,
  { status, headers }: BytesAnswer,
  source: ByteSource,
): Promise<FastifyReply> {
  const { raw } = reply;
  const start = () => {
    reply.hijack();
    raw.writeHead(status, { ...(reply.getHeaders() as Record<string, string>), ...headers });
  };
  // A write that meets a connection about to close is never told: only the close itself is certain.
  let giveUp: ((reason: Error) => void) | undefined;
  const onClose = () => {
    giveUp?.(new ClientGoneError());
  };
  raw.once('close', onClose);
  reply.request.raw.socket.once('close', onClose);
  try {
    await source(async (chunk) => {
      if (raw.destroyed || reply.request.raw.socket.destroyed) throw new ClientGoneError();
      if (!raw.headersSent) start();
      return new Promise((resolve, reject) => {
        giveUp = reject;
        raw.write(chunk, (error) => {
          if (error) reject(error);
          else resolve();
        });
      });
    });
  } catch (error) {
    if (!raw.headersSent && !(error instanceof ClientGoneError)) throw error;
    if (raw.destroyed || error instanceof ClientGoneError)
      reply.log.info('the client went away before the end of the answer');
    else reply.log.error({ err: error }, 'an answer was cut short');
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

/** Nobody is there to read the rest. */
class ClientGoneError extends Error {}
