// How far long work has come, on the standard error: one line that is drawn again on a terminal, else a plain line now
// and then.

import { styleText } from 'node:util';
import { formatBytes, formatCount } from './format.ts';

/** What an operation tells; where no total is known, no bar is drawn. */
export interface Progress {
  phase: string;
  done: number;
  total?: number | undefined;
  bytesDone?: number | undefined;
  bytesTotal?: number | undefined;
}

export interface ProgressDisplay {
  /** Shows the newest progress, as often as it makes sense. */
  show(progress: Progress): void;
  /** Clears the line. */
  end(): void;
}

export interface ProgressDisplayOptions {
  /** Of the command. */
  name: string;
  stream: NodeJS.WriteStream;
  isQuiet: boolean;
}

const REDRAW_MS = 100;
/**
 * Into a file or a log, and only of work that takes longer: what a timer runs at night shall be silent when all is
 * well.
 */
const PLAIN_LINE_MS = 10_000;
const BAR_WIDTH = 24;
const DEFAULT_COLUMNS = 80;
const CLEAR_LINE = '\r\u001B[2K';

export function createProgressDisplay({ name, stream, isQuiet }: ProgressDisplayOptions): ProgressDisplay {
  if (isQuiet) return { show: () => undefined, end: () => undefined };
  const isTerminal = stream.isTTY;
  const intervalMs = isTerminal ? REDRAW_MS : PLAIN_LINE_MS;
  let shownAt = isTerminal ? 0 : performance.now();
  let isDrawn = false;
  let phase = '';
  return {
    show(progress) {
      const now = performance.now();
      const isNewPhase = isTerminal && progress.phase !== phase;
      if (!isNewPhase && now - shownAt < intervalMs) return;
      shownAt = now;
      phase = progress.phase;
      if (!isTerminal) {
        stream.write(`berth ${name}: ${describe(progress)}\n`);
        return;
      }
      isDrawn = true;
      stream.write(CLEAR_LINE + fit(progress, stream));
    },
    end() {
      if (isDrawn) stream.write(CLEAR_LINE);
      isDrawn = false;
    },
  };
}

function describe({ phase, done, total, bytesDone, bytesTotal }: Progress): string {
  const count =
    total === undefined ? (done > 0 ? formatCount(done) : '') : `${formatCount(done)} of ${formatCount(total)}`;
  const bytes = bytesTotal === undefined ? '' : `${formatBytes(bytesDone ?? 0)} of ${formatBytes(bytesTotal)}`;
  return [phase, [count, bytes].filter((part) => part !== '').join(', ')].filter((part) => part !== '').join(': ');
}

/** A bar where there is room for it, and never more than the line. */
function fit(progress: Progress, stream: NodeJS.WriteStream): string {
  const text = describe(progress);
  const share = shareOf(progress);
  // A terminal without a size says 0.
  const room = (stream.columns || DEFAULT_COLUMNS) - 1;
  if (share === undefined || text.length + BAR_WIDTH + 7 > room) return text.slice(0, room);
  const filled = Math.round(share * BAR_WIDTH);
  // styleText leaves colours out where NO_COLOR says so.
  const bar =
    styleText('cyan', '━'.repeat(filled), { stream }) + styleText('dim', '─'.repeat(BAR_WIDTH - filled), { stream });
  return `${bar} ${String(Math.floor(share * 100)).padStart(3)}%  ${text}`;
}

function shareOf({ done, total, bytesDone = 0, bytesTotal = 0 }: Progress): number | undefined {
  const share =
    bytesTotal > 0 ? bytesDone / bytesTotal : total === undefined || total === 0 ? undefined : done / total;
  return share === undefined ? undefined : Math.min(1, Math.max(0, share));
}
