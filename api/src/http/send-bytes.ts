// Answers with bytes that somebody hands over chunk by chunk, past the framework's streams.

import type { FastifyReply } from 'fastify';

export interface BytesAnswer { status: number; headers: Record<string, string> }

/** Hands chunks to `write` one after another; a chunk's memory is free again once its `write` has settled. */
export type ByteSource = (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>;

/**
 * Sends the head with the first chunk, so that a source that fails before it still becomes a problem document.
 * A failure after that can only cut the connection, which tells the client that bytes are missing.
 */
export async function sendBytes(reply: FastifyReply, { status, headers }: BytesAnswer, source: ByteSource): Promise<FastifyReply> {
  const { raw } = reply;
  const start = () => {
    reply.hijack();
    raw.writeHead(status, { ...reply.getHeaders() as Record<string, string>, ...headers });
  };
  try {
    await source((chunk) => {
      if (!raw.headersSent) start();
      return new Promise((resolve, reject) => { raw.write(chunk, (error) => { if (error) reject(error); else resolve(); }); });
    });
  } catch (error) {
    if (!raw.headersSent) throw error;
    if (raw.destroyed) reply.log.info('the client went away before the end of the answer');
    else reply.log.error({ err: error }, 'an answer was cut short');
    raw.destroy();
    return reply;
  }
  if (!raw.headersSent) start();
  raw.end();
  return reply;
}
