import { watchEffect } from 'vue';

/** Sets the document title. */
export function useTitle(title: () => string | undefined): void {
  watchEffect(() => {
    document.title = [title(), 'Berth'].filter(Boolean).join(' · ');
  });
}
