import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';
import vuetify from 'vite-plugin-vuetify';

export default defineConfig({
  root: import.meta.dirname,
  // Relative URLs: the server sets the page's <base>.
  base: './',
  plugins: [vue(), vuetify({ autoImport: true })],
  define: {
    __VUE_OPTIONS_API__: 'true',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_I18N_FULL_INSTALL__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
  },
  build: {
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1500,
    // Two chunks with what every page needs, instead of dozens that load one after another.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            {
              name: 'framework',
              test: /node_modules\/(vue|@vue|vue-router|vue-i18n|@intlify|vuetify|openapi-fetch|@mdi)\//,
            },
            { name: 'application', test: /src\/(api|components|composables|i18n)\// },
          ],
        },
      },
    },
  },
  worker: { format: 'es' },
  server: {
    proxy: Object.fromEntries(['/api', '/api-docs', '/clients'].map((path) => [path, 'http://localhost:8080'])),
  },
});
