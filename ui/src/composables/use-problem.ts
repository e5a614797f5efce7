import { useI18n } from 'vue-i18n';
import { ApiProblem } from '../api/client.ts';
import { FRENCH_PROBLEMS } from '../i18n/problems.ts';

/** Says what went wrong to the reader; in French, what it means stands before the registry's own sentence. */
export function useProblem(): (error: unknown) => string {
  const { t, locale } = useI18n();
  return (error) => {
    if (!(error instanceof Error)) return String(error);
    if (!(error instanceof ApiProblem)) return error.message;
    if (error.code === 'unreachable') return t('common.unreachable');
    const meaning = locale.value === 'fr' ? FRENCH_PROBLEMS[error.code] : undefined;
    return meaning === undefined ? error.message : `${meaning}. (${error.message})`;
  };
}
