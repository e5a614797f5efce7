/** Takes the content of an entry, piece by piece. */
export interface EntryContent {
  /** The piece is only lent: it is a part of the chunk that the reader was given. */
  write: (piece: Buffer) => void;
  end: () => void;
}

/** Collects the first `sizeBytes` of a content that has at least so many, and hands them on once it has been read. */
export function collectContent(sizeBytes: number, take: (content: Buffer) => void): EntryContent {
  const content = Buffer.allocUnsafe(sizeBytes);
  let filledBytes = 0;
  return {
    write: (piece) => {
      filledBytes += piece.copy(content, filledBytes);
    },
    end: () => {
      take(content);
    },
  };
}
