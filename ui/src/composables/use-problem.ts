import { useI18n } from 'vue-i18n';
import { ApiProblem } from '../api/client.ts';
import { FRENCH_PROBLEMS } from '../i18n/problems.ts';

/** Describes an error to the user. In French, a translated title precedes the registry's English detail. */
export function useProblem(): (error: unknown) => string {
  const { t, locale } = useI18n();
  return (error) => {
    if (!(error instanceof Error)) return String(error);
    if (!(error instanceof ApiProblem)) return error.message;
    if (error.code === 'unreachable') return t('common.unreachable');
    const title = locale.value === 'fr' ? FRENCH_PROBLEMS[error.code] : undefined;
    return title === undefined ? error.message : `${title}. (${error.message})`;
  };
}
