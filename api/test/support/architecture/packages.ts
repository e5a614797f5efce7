// Packages of the repository: which of them may import which.

import { posix } from 'node:path';
import type { Import, PackageName, SourceFile } from './source-files.ts';

/** The other packages that a package may import: always, by dynamic import, or in tests. scripts and docs may all. */
const PACKAGE_IMPORTS: Partial<
  Record<PackageName, { always: PackageName[]; dynamic?: PackageName[]; inTests?: PackageName[] }>
> = {
  'api': { always: [], inTests: ['lib-node', 'cli', 'scripts'] },
  'lib-node': { always: [] },
  'cli': { always: ['lib-node'], dynamic: ['api'], inTests: ['scripts'] },
  'ui': { always: [], inTests: ['api', 'scripts'] },
  'bench': { always: ['lib-node', 'cli', 'scripts'] },
};

/** The only file of lib-node that the server imports (decision 26); its folder imports nothing else of lib-node. */
const SHARED_FACE = 'lib-node/src/tar/index.ts';
export const isShared = (path: string) => path.startsWith(posix.dirname(SHARED_FACE) + '/');

export function packageOf({ file, library }: Import): PackageName | undefined {
  const name = file === undefined ? /^@berth-registry\/(.+)$/.exec(library ?? '')?.[1] : file.split('/')[0];
  return name as PackageName | undefined;
}

export function mayImportPackage(file: SourceFile, imported: PackageName | undefined, it: Import): boolean {
  const allowed = PACKAGE_IMPORTS[file.package];
  if (file.package === 'api' && it.file === SHARED_FACE) return true;
  if (!allowed || !imported || imported === file.package || allowed.always.includes(imported)) return true;
  const isForTests = file.isTest && it.file?.startsWith('api/test/support/') === true;
  if (imported === 'api' && it.file !== undefined && it.file !== 'api/index.ts' && !isForTests) return false;
  return (
    (it.dynamic && allowed.dynamic?.includes(imported) === true) ||
    (file.isTest && allowed.inTests?.includes(imported) === true)
  );
}
