import { watchEffect } from 'vue';

/** Names the page in the tab of the browser. */
export function useTitle(title: () => string | undefined): void {
  watchEffect(() => {
    document.title = [title(), 'Berth'].filter(Boolean).join(' · ');
  });
}
