// Finds the workspace, also called monorepo, that a package is in.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface Workspace {
  root: string;
  manager: 'npm' | 'pnpm' | 'yarn';
}

/** Finds the next folder above whose files say that it is the root of a workspace. */
export async function findWorkspace(source: string): Promise<Workspace | undefined> {
  for (let folder = dirname(source); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'pnpm-workspace.yaml'))) return { root: folder, manager: 'pnpm' };
    if (await hasWorkspaces(join(folder, 'package.json')))
      return { root: folder, manager: existsSync(join(folder, 'yarn.lock')) ? 'yarn' : 'npm' };
    if (folder === dirname(folder)) return undefined;
  }
}

async function hasWorkspaces(file: string): Promise<boolean> {
  try {
    return (JSON.parse(await readFile(file, 'utf8')) as { workspaces?: unknown } | null)?.workspaces !== undefined;
  } catch {
    return false;
  }
}
