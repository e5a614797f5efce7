// Shows progress on standard error: one line that is redrawn on a terminal, else a plain line every ten seconds.

import { styleText } from 'node:util';
import { formatBytes, formatCount } from './format.ts';
import { escapeValue } from './terminal.ts';

/** Progress of an operation. Without any total, no bar is drawn. */
export interface Progress {
  phase: string;
  done: number;
  total?: number | undefined;
  bytesDone?: number | undefined;
  bytesTotal?: number | undefined;
}

export interface ProgressDisplay {
  /** Shows the latest progress, rate-limited. */
  show(progress: Progress): void;
  /** Clears the line on a terminal. */
  end(): void;
}

export interface ProgressDisplayOptions {
  /** Name of the command; prefix of plain lines. */
  name: string;
  stream: NodeJS.WriteStream;
  isQuiet: boolean;
}

const REDRAW_MS = 100;
/** Without a terminal. Work that is shorter prints nothing, so that scheduled runs stay silent. */
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
      stream.write(CLEAR_LINE + formatLine(progress, stream));
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
  return [escapeValue(phase), [count, bytes].filter((part) => part !== '').join(', ')]
    .filter((part) => part !== '')
    .join(': ');
}

/** Formats one line that fits the terminal, with a bar if there is room. */
function formatLine(progress: Progress, stream: NodeJS.WriteStream): string {
  const text = describe(progress);
  const fraction = fractionOf(progress);
  // A terminal without a size says 0.
  const columns = (stream.columns || DEFAULT_COLUMNS) - 1;
  if (fraction === undefined || text.length + BAR_WIDTH + 7 > columns) return text.slice(0, columns);
  const filled = Math.round(fraction * BAR_WIDTH);
  // styleText respects NO_COLOR.
  const bar =
    styleText('cyan', '━'.repeat(filled), { stream }) + styleText('dim', '─'.repeat(BAR_WIDTH - filled), { stream });
  return `${bar} ${String(Math.floor(fraction * 100)).padStart(3)}%  ${text}`;
}

function fractionOf({ done, total, bytesDone = 0, bytesTotal = 0 }: Progress): number | undefined {
  const fraction =
    bytesTotal > 0 ? bytesDone / bytesTotal : total === undefined || total === 0 ? undefined : done / total;
  return fraction === undefined ? undefined : Math.min(1, Math.max(0, fraction));
}
