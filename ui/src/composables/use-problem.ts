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
    return withTitle(locale.value, error.code, error.message);
  };
}

/** Describes a failure that the registry has recorded. @param code undefined if it recorded none */
export function useFailure(): (code: string | undefined, detail: string) => string {
  const { locale } = useI18n();
  return (code, detail) => withTitle(locale.value, code ?? '', detail);
}

function withTitle(locale: string, code: string, detail: string): string {
  const title = locale === 'fr' ? FRENCH_PROBLEMS[code] : undefined;
  return title === undefined ? detail : `${title}. (${detail})`;
}
