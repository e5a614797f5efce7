import { createVuetify } from 'vuetify';
import type { Ref } from 'vue';
import { aliases, mdi } from 'vuetify/iconsets/mdi-svg';
import { en, fr } from 'vuetify/locale';
import { loadPreference, savePreference } from './preferences.ts';

/** Opacity of small text and of text on tinted backgrounds: Vuetify's defaults fail the contrast of WCAG AA. */
const VARIABLES = { 'medium-emphasis-opacity': 0.8, 'disabled-opacity': 0.6 };

/** Creates Vuetify with the light or dark theme: the saved preference, else the system's. */
export function createTheme(locale: Ref<string>) {
  return createVuetify({
    icons: { defaultSet: 'mdi', aliases, sets: { mdi } },
    locale: { locale: locale.value, fallback: 'en', messages: { en, fr } },
    theme: {
      defaultTheme:
        loadPreference('berth-theme') ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'),
      themes: {
        light: {
          dark: false,
          variables: VARIABLES,
          colors: {
            'background': '#f6f8fa',
            'surface': '#ffffff',
            'primary': '#0b5c7a',
            'secondary': '#38566b',
            'error': '#b3261e',
            'warning': '#8a5100',
            'success': '#1b6b3a',
            'info': '#0b5c7a',
            'on-warning': '#ffffff',
          },
        },
        dark: {
          dark: true,
          variables: VARIABLES,
          colors: {
            'background': '#10171c',
            'surface': '#182128',
            'primary': '#7cc8e8',
            'secondary': '#a9c3d3',
            'error': '#ffb4ab',
            'warning': '#ffb95c',
            'success': '#8bd8a2',
            'info': '#7cc8e8',
            'on-primary': '#06222e',
            'on-error': '#3b0906',
            'on-warning': '#2c1700',
            'on-success': '#06210f',
            'on-info': '#06222e',
          },
        },
      },
    },
    defaults: {
      VTextField: { variant: 'outlined', density: 'comfortable', hideDetails: 'auto' },
      VTextarea: { variant: 'outlined', density: 'comfortable', hideDetails: 'auto' },
      VSelect: { variant: 'outlined', density: 'comfortable', hideDetails: 'auto' },
      VAutocomplete: { variant: 'outlined', density: 'comfortable', hideDetails: 'auto' },
      VCombobox: { variant: 'outlined', density: 'comfortable', hideDetails: 'auto' },
      VCheckbox: { density: 'comfortable', hideDetails: 'auto', color: 'primary' },
      VSwitch: { density: 'comfortable', hideDetails: 'auto', color: 'primary' },
      VCard: { border: true, flat: true },
      VBtn: { class: 'text-none' },
      VTable: { density: 'comfortable' },
    },
  });
}

export function storeTheme(name: string): void {
  savePreference('berth-theme', name);
}
