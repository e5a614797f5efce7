// The parts of the tests: what `npm test` and `npm run test:full` run. A test checks that every file is in a part.

import { globSync } from 'node:fs';
import { repositoryRoot } from './runtime.ts';

/** Selects the combinations of database, storage and sign-in of servers, and the languages and widths of browsers. */
export type Backends = 'alternating' | 'straight' | 'crossed';

/** Programs to install before a part runs, besides PostgreSQL, the S3 server, nginx and a compiler. */
export type Need = 'chromium' | 'deploy' | 'shells';

export interface Part {
  /** One line for the help. */
  summary: string;
  needs: Need[];
  runs: Run[];
}

export interface Run {
  /** Glob patterns of the files, relative to the repository. */
  files: string[];
  except?: string[];
  /** Default `alternating`. */
  backends?: Backends;
  /** Older Node versions on which the compiled tests of lib-node run. Default: the pinned Node, from the sources. */
  nodes?: readonly string[];
}

/** The newest version of each older release line that lib-node supports. */
export const OLDER_NODES = ['20.20.2', '22.23.3'] as const;

/** Every test file of the repository. */
export const TEST_FILES = '{api,bench,cli,deploy,docs,lib-node,scripts}/test/**/*.test.ts';
const JOURNEYS = 'ui/e2e/*.test.ts';
const WHOLE_SERVERS = 'api/test/**/*.api.test.ts';
const LIB_NODE = 'lib-node/test/*.test.ts';
/** Tests of what depends on the Node version: requests and streams, files and threads, add-ons. */
const LIB_NODE_VERSION_DEPENDENT = [
  'lib-node/test/{build,connection-failures,*download,ensure,lock,proxies,publish,requests,runtime,unpack}.test.ts',
  'lib-node/test/*-stream.test.ts',
];

/** Hundreds of kills: minutes each. */
const CHAOS = ['bench/test/{crash,events,federation,publishers,resume,upkeep}.test.ts'];
/** Kills, outages and faults. All but CHAOS also run in `npm test`, on one combination and with fewer rounds. */
const KILLS = [
  ...CHAOS,
  'api/test/backup/{ahead,interrupted,restore,under-load}.api.test.ts',
  'api/test/blobs/{faults,hanging-s3}.api.test.ts',
  'api/test/db/outage.api.test.ts',
  'api/test/replicas/*.api.test.ts',
  'api/test/uploads/{replicas,restarts}.api.test.ts',
  'lib-node/test/{crash,stress}.test.ts',
];
/** Also in `npm test`, with fewer archives. */
const ARCHIVES = 'api/test/tarballs/differential.unit.test.ts';
/** Deployment: image, systemd unit, packages; workspaces of npm and pnpm. */
const DEPLOY = ['deploy/test/*.test.ts', 'cli/test/packed.api.test.ts', 'cli/test/workspaces.test.ts'];

/** Parts by name; `everyday` is what `npm test` runs. */
export const PARTS: Readonly<Record<string, Part>> = {
  everyday: {
    summary: 'every unit suite, every API suite on one combination, one journey of each page, the demo and the README',
    needs: ['chromium', 'shells'],
    runs: [
      { files: [TEST_FILES, JOURNEYS], except: [...CHAOS, ...DEPLOY] },
      { files: LIB_NODE_VERSION_DEPENDENT, nodes: ['20.20.2'] },
    ],
  },
  straight: {
    summary: 'every API suite on SQLite with files and on PostgreSQL with S3',
    needs: [],
    runs: [{ files: [WHOLE_SERVERS], except: KILLS, backends: 'straight' }],
  },
  crossed: {
    summary: 'every API suite on SQLite with S3 and on PostgreSQL with files',
    needs: [],
    runs: [{ files: [WHOLE_SERVERS], except: KILLS, backends: 'crossed' }],
  },
  pages: {
    summary: 'every journey in both languages and both widths',
    needs: ['chromium'],
    runs: [
      { files: [JOURNEYS], backends: 'straight' },
      { files: [JOURNEYS], backends: 'crossed' },
    ],
  },
  kills: {
    summary: 'hundreds of kills, outages and faults',
    needs: [],
    runs: [{ files: KILLS, backends: 'straight' }],
  },
  archives: {
    summary: 'ten thousand generated archives, unpacked by lib-node, GNU tar and npm',
    needs: [],
    runs: [{ files: [ARCHIVES], backends: 'straight' }],
  },
  nodes: {
    summary: 'lib-node on older Node versions',
    needs: [],
    runs: [{ files: [LIB_NODE], backends: 'straight', nodes: OLDER_NODES }],
  },
  deploy: {
    summary:
      'the image, packages, workspaces, Compose, the Helm chart, the systemd unit, the alerts and the recipes for CI',
    needs: ['deploy'],
    runs: [{ files: DEPLOY }],
  },
};

export interface Selection {
  parts: (Part & { name: string })[];
  /** Substrings of file paths; empty means all files. */
  paths: string[];
  /** Patterns of test names; empty means all tests. */
  names: string[];
  /** Whether the selected parts run completely. */
  isWhole: boolean;
  /** Whether only the everyday part is selected. */
  isEveryday: boolean;
}

/**
 * Parses the command line: `--full` for all parts or followed by names of parts, then substrings of paths and test
 * names. `['--full', 'kills', 'db/outage']` selects the files of the part `kills` whose path contains `db/outage`.
 */
export function selectParts(parameters: string[]): Selection {
  const isFull = parameters.includes('--full');
  const words = parameters.filter((word) => word !== '--full');
  const named = isFull ? words.filter((word) => Object.hasOwn(PARTS, word)) : ['everyday'];
  const others = words.filter((word) => !(isFull && named.includes(word)));
  const chosen = named.length > 0 ? named : Object.keys(PARTS);
  const all = findFiles([TEST_FILES, JOURNEYS]);
  const paths = others.filter((word) => all.some((file) => file.includes(word)));
  return {
    parts: Object.entries(PARTS)
      .filter(([name]) => chosen.includes(name))
      .map(([name, part]) => ({ name, ...part })),
    paths,
    names: others.filter((word) => !paths.includes(word)),
    isWhole: others.length === 0,
    isEveryday: !isFull,
  };
}

/** The selected files of a run, sorted; compiled ones for older Node versions. */
export function filesOf({ files, except = [], nodes }: Run, { paths }: Pick<Selection, 'paths'>): string[] {
  const excluded = new Set(findFiles(except));
  const selected = findFiles(files).filter(
    (file) => !excluded.has(file) && (paths.length === 0 || paths.some((path) => file.includes(path))),
  );
  return nodes ? selected.map(compiledOf) : selected;
}

function findFiles(patterns: string[]): string[] {
  return [...new Set(patterns.flatMap((pattern) => globSync(pattern, { cwd: repositoryRoot })))].sort();
}

/** `lib-node/test/x.test.ts` is compiled to `lib-node/.test-build/x.test.js`. */
function compiledOf(file: string): string {
  return file.replace('lib-node/test/', 'lib-node/.test-build/').replace(/\.ts$/, '.js');
}
