// Log lines on their way out: those of one turn of the event loop in one system call.

import pino from 'pino';

/** What a logger writes its lines to. */
export interface LogStream {
  write: (line: string) => void;
}
export interface LogOutput extends LogStream {
  close(): Promise<void>;
}

/** Lines that wait for the end of the turn, in bytes; more are written at once. */
const MAX_WAITING_BYTES = 8 * 1024;
const STANDARD_OUTPUT = 1;

/**
 * Writes to the standard output, or to the file descriptor that is given. Lines wait for the end of the turn of the
 * event loop, or of the process, and for nothing else: only a process that is killed in the middle of a turn loses
 * those of this turn. /
 */
export function createLogOutput(fileDescriptor = STANDARD_OUTPUT): LogOutput {
  const output = pino.destination({ dest: fileDescriptor, sync: true, minLength: MAX_WAITING_BYTES });
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
