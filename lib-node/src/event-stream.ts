// Parses a registry's Server-Sent Events.

import { createParser } from 'eventsource-parser';

/** Of an unfinished message, in UTF-16 units. An event of a registry has some hundred bytes. */
export const MAX_MESSAGE_LENGTH = 1024 * 1024;
/** Comes at the start and every 15 seconds, and names the place up to which everything has been sent. */
const HEARTBEAT = /^heartbeat (\S+)$/;

/** An event, or a heartbeat without data; fields that it does not have are undefined. */
export interface StreamMessage {
  /** Of an event, and in a heartbeat: the place to resume from. */
  id: string | undefined;
  data: string | undefined;
  /** Time to wait before the next connection, in milliseconds. */
  retryMs: number | undefined;
}

export interface EventStreamParser {
  /**
   * Takes the next part of the stream, and returns the messages that end in it.
   * @throws RangeError if an unfinished message is longer than `MAX_MESSAGE_LENGTH`
   */
  feed: (text: string) => StreamMessage[];
}

/** Makes the parser of one stream, whose text may be cut into parts anywhere. */
export function createEventStreamParser(): EventStreamParser {
  const messages: StreamMessage[] = [];
  let isTooLong = false;
  const add = (message: Partial<StreamMessage>): void => {
    messages.push({ id: undefined, data: undefined, retryMs: undefined, ...message });
  };
  const parser = createParser({
    maxBufferSize: MAX_MESSAGE_LENGTH,
    onEvent: ({ id, data }) => {
      add({ id, data });
    },
    onRetry: (retryMs) => {
      add({ retryMs });
    },
    onComment: (comment) => {
      add({ id: HEARTBEAT.exec(comment)?.[1] });
    },
    onError: ({ type }) => {
      isTooLong ||= type === 'max-buffer-size-exceeded';
    },
  });
  return {
    feed: (text) => {
      parser.feed(text);
      if (isTooLong) throw new RangeError(`a message of more than ${MAX_MESSAGE_LENGTH} characters`);
      return messages.splice(0);
    },
  };
}
