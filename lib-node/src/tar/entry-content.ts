/** Receives the content of an entry in chunks. */
export interface EntrySink {
  /** The chunk is only valid during the call: it is a view of the reader's input. */
  write: (chunk: Buffer) => void;
  end: () => void;
}

/** Collects the first `sizeBytes` of a content that is at least as long, and passes them on at its end. */
export function collectContent(sizeBytes: number, onContent: (content: Buffer) => void): EntrySink {
  const content = Buffer.allocUnsafe(sizeBytes);
  let filledBytes = 0;
  return {
    write: (chunk) => {
      filledBytes += chunk.copy(content, filledBytes);
    },
    end: () => {
      onContent(content);
    },
  };
}
