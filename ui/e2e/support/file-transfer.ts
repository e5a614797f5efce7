// Drops or pastes a file into a page.

import type { Page } from 'playwright-core';

/** Dispatches a drop or paste event with a file to an element of the page. */
export async function transferFile(
  page: Page,
  selector: string,
  kind: 'drop' | 'paste',
  { name, type, bytes }: { name: string; type: string; bytes: Uint8Array },
): Promise<void> {
  await page.locator(selector).evaluate(
    (element, file) => {
      const data = new DataTransfer();
      data.items.add(
        new File([Uint8Array.from(atob(file.base64), (byte) => byte.charCodeAt(0))], file.name, { type: file.type }),
      );
      element.dispatchEvent(
        file.kind === 'drop'
          ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
          : new ClipboardEvent('paste', { clipboardData: data, bubbles: true }),
      );
    },
    { name, type, kind, base64: Buffer.from(bytes).toString('base64') },
  );
}
