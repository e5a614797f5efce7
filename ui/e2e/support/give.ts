// Hands a file to a page the way somebody with a mouse or a clipboard does.

import type { Page } from 'playwright-core';

/** Lets go of a file over an element of the page, or pastes it. */
export async function give(
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
