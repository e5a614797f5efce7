// Program of the tests of the order of events: writes events, and prints the subjects of those that were committed.
// Arguments: database URL, name of the writer, number of changes.

import { createDatabase } from '../../src/db/index.ts';
import { runWriter } from './outbox-fixture.ts';

const [url = '', name = '', changes = ''] = process.argv.slice(2);
const database = createDatabase({ url });
console.log(JSON.stringify(await runWriter(database, name, Number(changes))));
await database.close();
