import { createApp } from 'vue';
import './style.css';
import 'vuetify/styles';
import App from './app.vue';
import { registryUrl } from './api/client.ts';
import { dialogsKey, createDialogs } from './composables/use-dialogs.ts';
import { createFrame, frameKey } from './composables/use-frame.ts';
import { createSession, sessionKey } from './composables/use-session.ts';
import { createTranslations } from './i18n/index.ts';
import { createPages } from './routes.ts';
import { createTheme } from './theme.ts';

const frame = createFrame(registryUrl);
const session = createSession();
// Without a session the page opens as anonymous. If the registry is down, the page reports that itself.
await session.refresh().catch(() => undefined);
const translations = createTranslations(session.session.value.language);
const pages = createPages(session, frame);
void pages.isReady().then(frame.ready);

createApp(App)
  .use(translations)
  .use(createTheme(translations.global.locale))
  .use(pages)
  .provide(sessionKey, session)
  .provide(frameKey, frame)
  .provide(dialogsKey, createDialogs(frame))
  .mount('#app');
