// `npm run build`: the web interface and the clients. With --if-changed, as `npm start` does it, only what is older
// than its sources.

import { buildClients } from './build-clients.ts';
import { buildUi } from './build-ui.ts';

const options = { ifChanged: process.argv.includes('--if-changed') };
await buildUi(options);
await buildClients(options);
