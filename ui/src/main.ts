import { createApp } from 'vue';
import './style.css';
import 'vuetify/styles';
import App from './app.vue';
import { dialogsKey, createDialogs } from './composables/use-dialogs.ts';
import { createSession, sessionKey } from './composables/use-session.ts';
import { createTranslations } from './i18n/index.ts';
import { createPages } from './routes.ts';
import { createTheme } from './theme.ts';

const session = createSession();
// Anonymous readers see public artefacts: a registry that does not answer now is told of by the page itself.
await session.refresh().catch(() => undefined);
const translations = createTranslations(session.session.value.language);

createApp(App)
  .use(translations)
  .use(createTheme(translations.global.locale))
  .use(createPages(session))
  .provide(sessionKey, session)
  .provide(dialogsKey, createDialogs())
  .mount('#app');
