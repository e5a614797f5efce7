import { useI18n } from 'vue-i18n';
import type { Artefact, LocalisedText, Uploader } from '../api/types.ts';

const BYTE_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;
const AGES = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;

/** Formats sizes, dates and texts in the user's language. */
export function useFormat() {
  const { locale, t } = useI18n();
  const languages = () => (locale.value === 'fr' ? (['fr', 'en'] as const) : (['en', 'fr'] as const));
  const localised = (text: LocalisedText | undefined): string | undefined =>
    languages()
      .map((language) => text?.[language])
      .find(Boolean);
  return {
    /** Decimal units: `1.5 MB`, `1,5 Mo`. */
    bytes(count: number): string {
      const step = Math.min(BYTE_UNITS.length - 1, count > 0 ? Math.floor(Math.log10(count) / 3) : 0);
      return new Intl.NumberFormat(locale.value, {
        style: 'unit',
        unit: BYTE_UNITS[step],
        unitDisplay: step === 0 ? 'long' : 'short',
        maximumFractionDigits: 1,
      }).format(count / 1000 ** step);
    },
    number: (count: number): string => new Intl.NumberFormat(locale.value).format(count),
    date: (iso: string): string =>
      new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso)),
    day: (iso: string): string => new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium' }).format(new Date(iso)),
    /** `3 days ago`, `in 2 hours`; `never` without a time. */
    age(iso: string | undefined): string {
      if (iso === undefined) return t('common.never');
      const seconds = (Date.parse(iso) - Date.now()) / 1000;
      const [unit, length] = AGES.find(([, size]) => Math.abs(seconds) >= size) ?? (['second', 1] as const);
      return new Intl.RelativeTimeFormat(locale.value, { numeric: 'auto' }).format(Math.round(seconds / length), unit);
    },
    /** The text in the user's language, else in the other one. */
    localised,
    /** What a curator wrote, else what the package says of itself. */
    description: (artefact: Pick<Artefact, 'description' | 'packageDescription'>): string | undefined =>
      localised(artefact.description) ?? artefact.packageDescription,
    uploader(by: Uploader | undefined): string {
      if (!by) return '';
      if ('internal' in by) return t('common.internalService');
      return 'userId' in by ? by.userName : `${by.apiKeyName} (${by.shortId})`;
    },
  };
}
