// `npm run build`: builds the web interface and the clients. With --if-changed, which `npm start` uses, only those
// whose sources have changed.

import { buildClients } from './build-clients.ts';
import { buildUi } from './build-ui.ts';

const options = { ifChanged: process.argv.includes('--if-changed') };
await buildUi(options);
await buildClients(options);
