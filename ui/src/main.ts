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
// Without a session the page opens as anonymous. If the registry is down, the page reports that itself.
await session.refresh().catch(() => undefined);
const translations = createTranslations(session.session.value.language);

createApp(App)
  .use(translations)
  .use(createTheme(translations.global.locale))
  .use(createPages(session))
  .provide(sessionKey, session)
  .provide(dialogsKey, createDialogs())
  .mount('#app');
