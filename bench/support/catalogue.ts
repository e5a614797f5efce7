// Fills a registry with many artefacts within seconds: uploads a few templates, then copies their rows inside the
// database, replacing tokens by words, names and dates. The copies look as if the server had written them.

import { artefactUrl, INTERNAL } from './berth-process.ts';
import type { ServerProcess } from './processes.ts';
import { npmTarball } from './tarball.ts';

export type Row = Record<string, string | number | null>;

/** Direct access to the rows of artefacts, while no server uses the database. */
export interface RowStore extends Disposable {
  /** Reads the rows whose column contains the text. */
  readRows(table: string, column: string, text: string): Promise<Row[]>;
  writeRows(table: string, columns: string[], rows: Iterable<Row>): Promise<void>;
  /** Runs a statement. */
  run(statement: string): Promise<void>;
  /** Runs the maintenance that the database would do by itself later. */
  settle(): Promise<void>;
}

/** Tables by the column that holds the artefact's id, in the order of their foreign keys. */
const TABLES = {
  artefacts: 'id',
  artefact_documents: 'artefact_id',
  slots: 'artefact_id',
  artefact_access: 'artefact_id',
};
/** Assigned by the database, and not copied. */
const ROW_NUMBER = 'seq';

export const CATEGORIES = ['processing', 'catalog', 'application', 'tileset', 'maplibre-style', 'other'];
/** Sees public artefacts, and a tenth of all that is shared with it. */
export const ACCOUNT = { type: 'organization', id: 'acme' };
const GROUP_COUNT = 200;
/** Occurs in every artefact. */
export const COMMON_WORD = 'données';
export const COMMON_SHORT_WORD = 'eu';

/**
 * Ten per category, of which five are public and one is shared with ACCOUNT; one in twenty is deprecated.
 */
const TEMPLATES = 60;
/** Number of the first artefact that is a copy. */
export const FIRST_COPY = TEMPLATES;
const TEMPLATE_ID = '@bench/import-tokenid@';
const WORDS_PER_TEXT = 14;
const STEMS = [
  'carte',
  'relief',
  'route',
  'fleuve',
  'foret',
  'ville',
  'ecole',
  'ligne',
  'zone',
  'point',
  'tuile',
  'couche',
  'indice',
  'projet',
  'mesure',
  'plan',
  'parcel',
  'census',
  'street',
  'river',
  'border',
  'sensor',
  'survey',
  'raster',
  'vector',
  'import',
  'export',
  'filter',
  'merge',
  'split',
  'index',
  'model',
];
const ENDINGS = [
  '',
  'al',
  'age',
  'eur',
  'ique',
  'ment',
  'tion',
  'able',
  'ing',
  'ed',
  'ness',
  'ful',
  'less',
  'ary',
  'oid',
  'ette',
  'isme',
  'ance',
  'ite',
  'ard',
  'ois',
  'ix',
  'um',
  'us',
  'an',
  'el',
  'il',
  'ol',
  'or',
  'er',
  'ar',
  'y',
];

/** Uploads the templates that `copyTemplates` copies. */
export async function uploadTemplates(berth: ServerProcess): Promise<void> {
  const tarball = new Blob([npmTarball('@bench/tokenpackage', '1.0.0', new Uint8Array(1000))]);
  const words = (from: number) =>
    Array.from(
      { length: WORDS_PER_TEXT },
      (_unused, index) => `tokenword${String.fromCharCode(97 + from + index)}`,
    ).join(' ');
  for (let template = 0; template < TEMPLATES; template++) {
    const id = `${TEMPLATE_ID}${template}`;
    const form = new FormData();
    form.set('file', tarball, 'plugin.tgz');
    form.set('category', CATEGORIES[template % CATEGORIES.length] ?? 'other');
    form.set('title', JSON.stringify({ fr: 'Extension tokenworda tokenwordz', en: 'Plug-in tokenworda tokenwordz' }));
    form.set(
      'description',
      JSON.stringify({
        fr: `Charge les ${COMMON_WORD} de ${words(0)}`,
        en: `Loads ${COMMON_SHORT_WORD} data: ${words(11)}`,
      }),
    );
    const upload = await fetch(artefactUrl(berth, 'npm', id), { method: 'POST', headers: INTERNAL, body: form });
    const tenth = Math.floor(template / CATEGORIES.length);
    const patch = {
      public: tenth < 5,
      deprecated: template % 20 === 7,
      group: { fr: 'tokengroup', en: 'tokengroup' },
      ...(tenth === 5 && { privateAccess: [ACCOUNT] }),
    };
    const edit = await fetch(artefactUrl(berth, id), {
      method: 'PATCH',
      headers: { ...INTERNAL, 'content-type': 'application/json' },
      body: JSON.stringify(patch),
    });
    if (upload.status !== 201 || edit.status !== 200)
      throw new Error(`a template got status ${upload.status} and ${edit.status}: ${await edit.text()}`);
  }
}

/** Copies the templates until there are `count` artefacts. */
export async function copyTemplates(store: RowStore, count: number): Promise<void> {
  for (const [table, idColumn] of Object.entries(TABLES)) {
    const rows = await store.readRows(table, idColumn, 'tokenid');
    const columns = Object.keys(rows[0] ?? {}).filter((name) => name !== ROW_NUMBER);
    const templates = Map.groupBy(rows, (row) => Number(String(row[idColumn]).replace(TEMPLATE_ID, '')));
    await store.writeRows(table, columns, copies(templates, columns, count));
  }
  await store.settle();
}

function* copies(templates: Map<number, Row[]>, columns: string[], count: number): Generator<Row> {
  for (let index = FIRST_COPY; index < count; index++) {
    for (const row of templates.get(index % TEMPLATES) ?? []) {
      const fill = filler(index);
      const copy = Object.fromEntries(columns.map((name) => [name, fill(row[name] ?? null)]));
      // The documents keep the version of their template: only the order of the list depends on it.
      yield 'version_key' in copy ? { ...copy, version_key: versionKey(1, index % 100, index) } : copy;
    }
  }
}

/** As api/src/db/version-key.ts. */
function versionKey(...numbers: number[]): string {
  return `${numbers.map((number) => `00${String(number).length}${number}`).join('')}~`;
}

/** Returns the names of the artefact with this number. */
export function nameOf(index: number): {
  id: string;
  idWord: string;
  words: string;
  packageName: string;
  group: string;
} {
  // Equal length, so that no word is part of another one.
  const idWord = `n${index.toString(36).padStart(4, '0')}`;
  return {
    id: TEMPLATE_ID.replace('tokenid', idWord) + String(index % TEMPLATES),
    idWord,
    /** Two of its words, which about one in two thousand artefacts contain. */
    words: `${wordOf(index, 97)} ${wordOf(index, 98)}`,
    packageName: `@bench/p${Math.floor(index / 3)}`,
    group: `groupe${index % GROUP_COUNT}`,
  };
}

/** Returns one of about a thousand words, pseudo-random but reproducible. Each artefact has about 25 of them. */
function wordOf(index: number, position: number): string {
  const number = mix(index * 128 + position) % (STEMS.length * ENDINGS.length);
  return `${STEMS[number % STEMS.length]}${ENDINGS[Math.floor(number / STEMS.length)]}`;
}

/** The finaliser of MurmurHash3: each input bit affects all output bits. */
function mix(number: number): number {
  const once = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return (twice ^ (twice >>> 16)) >>> 0;
}

/** Returns a function that replaces tokens and dates by those of one artefact. */
function filler(index: number): (value: string | number | null) => string | number | null {
  const { idWord, packageName, group } = nameOf(index);
  const names: Record<string, string> = {
    tokenid: idWord,
    tokenpackage: packageName.replace('@bench/', ''),
    tokengroup: group,
  };
  const date = new Date(Date.UTC(2024, 0) + index * 617_000).toISOString();
  const wordFor = (token: string) =>
    token.startsWith('tokenword') ? wordOf(index, token.charCodeAt('tokenword'.length)) : date;
  return (value) =>
    typeof value === 'string'
      ? value.replace(/token[a-z]+|\d{4}-\d\d-\d\dT[\d:.]+Z/g, (token) => names[token] ?? wordFor(token))
      : value;
}
