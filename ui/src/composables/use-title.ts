import { watchEffect } from 'vue';
import { useRoute } from 'vue-router';
import { useFrame, type Crumb } from './use-frame.ts';

/**
 * Sets the title of the document, and the breadcrumbs of a page that frames it.
 * @param above pages above this one, from the top
 */
export function useTitle(title: () => string | undefined, above: () => Crumb[] = () => []): void {
  const frame = useFrame();
  watchEffect(() => {
    const text = title();
    document.title = [text, 'Berth'].filter(Boolean).join(' · ');
    frame.showTrail([...above(), ...(text ? [{ text }] : [])]);
  });
}

/** The same for the pages of a section, by its links; the first is its start page. */
export function useSectionTitle(section: () => string, links: () => { title: string; to: string }[]): void {
  const route = useRoute();
  const page = () => links().find(({ to }, index) => index > 0 && `${route.path}/`.startsWith(`${to}/`));
  useTitle(
    () => page()?.title ?? section(),
    () => (page() ? [{ text: section(), to: links()[0]?.to ?? '/' }] : []),
  );
}
