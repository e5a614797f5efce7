// The thread that scans the large tarballs of all uploads; started by scan-thread.ts. Inflating itself runs on the thread
// pool of the process: here are the tar and the garbage of inflating, in a heap too small to make collecting it dear.

import { parentPort } from 'node:worker_threads';
import { describeError } from '../errors.ts';
import { slotOf, type ScanReport, type ScanRequest } from './scan-messages.ts';
import { createTarballScanner, type TarballScanner } from './scanner.ts';

interface Scan { scanner: TarballScanner; memory: SharedArrayBuffer; turn: Promise<void> }

if (parentPort) serveScans(parentPort);

function serveScans(port: NonNullable<typeof parentPort>): void {
  const scans = new Map<number, Scan>();
  const report = (message: ScanReport) => { port.postMessage(message); };

  /** Runs the steps of one scan one after the other, up to its first failure. */
  function inTurn(id: number, step: (scan: Scan) => Promise<ScanReport>): void {
    const scan = scans.get(id);
    if (!scan) return;
    scan.turn = scan.turn.then(async () => {
      if (scans.get(id) === scan) report(await step(scan));
    }).catch((error: unknown) => {
      if (scans.delete(id)) report({ scan: id, type: 'failed', error: describeError(error) });
    });
  }

  port.on('message', (request: ScanRequest) => {
    const id = request.scan;
    switch (request.type) {
      case 'begin':
        scans.set(id, { scanner: createTarballScanner(request.limits), memory: request.memory, turn: Promise.resolve() });
        break;
      case 'piece':
        inTurn(id, async ({ scanner, memory }) => {
          await scanner.write(slotOf(memory, request.slot, request.sizeBytes));
          return { scan: id, type: 'taken', slot: request.slot, heldBytes: scanner.heldBytes };
        });
        break;
      case 'end':
        inTurn(id, async ({ scanner }) => {
          const result = await scanner.finish();
          scans.delete(id);
          return { scan: id, type: 'done', result };
        });
        break;
      case 'abort': {
        const scan = scans.get(id);
        scans.delete(id);
        scan?.scanner.abort();
      }
    }
  });
}
