// Checks manifests without a cluster: against the types of Kubernetes, which unknown fields fail, and against the JSON
// schemas of its API.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../../../scripts/runtime.ts';
import { ensureKubernetesTypes } from '../../../scripts/test-programs.ts';
import type { Manifest } from './chart.ts';

/** Packages of custom resources by their group; all others are of Kubernetes itself. */
const PACKAGES: Record<string, string> = {
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};
const COMPILER = join(repositoryRoot, 'node_modules/.bin/tsc');
const OPTIONS = { noEmit: true, strict: true, skipLibCheck: true, module: 'nodenext', target: 'es2022', types: [] };

/** @throws Error that names each wrong field: of the compiler, or else of the first manifest against its schema */
export async function checkManifests(manifests: readonly Manifest[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-manifests-'));
  try {
    symlinkSync(await ensureKubernetesTypes(), join(directory, 'node_modules'));
    const file = join(directory, 'manifests.mts');
    writeFileSync(file, manifests.map(program).join('\n'));
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions: OPTIONS, files: [file] }));
    run(COMPILER, ['--pretty', '--project', directory]);
    run(process.execPath, [file]);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function run(command: string, parameters: string[]): void {
  try {
    execFileSync(command, parameters, { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(stdout + stderr, { cause: error });
  }
}

/** Statements that the compiler checks as literals of the type, and that check the schema when they run. */
function program(manifest: Manifest, index: number): string {
  const { apiVersion, kind } = manifest;
  const source = `${PACKAGES[apiVersion.split('/')[0] ?? ''] ?? 'kubernetes-models'}/${apiVersion}`;
  return [
    `import { ${kind} as Kind${index}, type I${kind} as Fields${index} } from ${JSON.stringify(source)};`,
    `const manifest${index}: Fields${index} = ${JSON.stringify(manifest, undefined, 2)};`,
    `new Kind${index}(manifest${index}).validate();`,
  ].join('\n');
}
