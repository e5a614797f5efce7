// Log output: writes the lines of one turn of the event loop in one system call.

import pino from 'pino';

/** Destination of a logger's lines. */
export interface LogStream {
  write: (line: string) => void;
}
export interface LogOutput extends LogStream {
  close(): Promise<void>;
}

/** Buffered lines are written at this size, even before the end of the turn. */
const MAX_BUFFERED_BYTES = 8 * 1024;
const STANDARD_OUTPUT = 1;

/**
 * Writes to standard output, or to the given file descriptor. Buffers lines until the end of the current turn of the
 * event loop, or of the process: only a process that is killed in the middle of a turn loses the lines of that turn.
 */
export function createLogOutput(fileDescriptor = STANDARD_OUTPUT): LogOutput {
  const output = pino.destination({ dest: fileDescriptor, sync: true, minLength: MAX_BUFFERED_BYTES });
  let scheduled = false;
  const flush = () => {
    scheduled = false;
    output.flushSync();
  };
  process.on('exit', flush);
  return {
    write(line) {
      output.write(line);
      if (scheduled) return;
      scheduled = true;
      setImmediate(flush);
    },
    async close() {
      process.off('exit', flush);
      flush();
    },
  };
}
