// Reads server-sent events from a response as they arrive.

export interface StreamedEvent {
  event: string;
  data: unknown;
}

export interface ReadEvents {
  /** Settles when the server ends the stream. */
  ended: Promise<void>;
  cancel(): Promise<void>;
}

export function readEvents(response: Response, onEvent: (event: StreamedEvent) => void): ReadEvents {
  if (!response.body) throw new Error('the response has no body');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const read = async () => {
    let text = '';
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += part.value;
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const { event, data } = Object.fromEntries(
          block.split('\n').map((line) => line.split(/: (.*)/s, 2)),
        ) as Record<string, string>;
        if (event !== undefined && data !== undefined) onEvent({ event, data: JSON.parse(data) });
      }
    }
  };
  return { ended: read(), cancel: () => reader.cancel() };
}
