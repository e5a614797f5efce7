// Renders the Helm chart without Helm, which is not available everywhere, with the same template engine (render.go).

import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { repositoryRoot } from '../../../scripts/runtime.ts';

/** Debian's Go libraries are in their own GOPATH, and do not use modules. */
const GO_ENV = { GOPATH: '/usr/share/gocode', GO111MODULE: 'off', CGO_ENABLED: '0' };
export const CHART = join(repositoryRoot, 'deploy/helm/berth');

export type Values = Record<string, unknown>;
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}

export interface Renderer {
  /**
   * Renders with values that override those of values.yaml. Returns the manifests by kind, and NOTES.txt.
   * @throws Error with the message of a template that fails
   */
  render(values: Values): { manifests: Record<string, Manifest>; notes: string };
  close(): void;
}

export const chartFile = (name: string) => parse(readFileSync(join(CHART, name), 'utf8')) as Values;

/** Compiles the renderer, which takes some seconds. */
export function createRenderer(): Renderer {
  const directory = mkdtempSync(join(tmpdir(), 'berth-chart-'));
  const program = join(directory, 'render');
  execFileSync('go', ['build', '-o', program, join(import.meta.dirname, 'render.go')], {
    cwd: directory,
    env: { ...process.env, ...GO_ENV, GOCACHE: join(repositoryRoot, '.cache/go'), GOFLAGS: '' },
  });
  const names = globSync('templates/*', { cwd: CHART }).sort();
  const templates = Object.fromEntries(
    names.map((name) => [`berth/${name}`, readFileSync(join(CHART, name), 'utf8')]),
  );
  const { name, version, appVersion } = chartFile('Chart.yaml');
  return {
    render(values) {
      const context = {
        Values: merged(chartFile('values.yaml'), values),
        Chart: { Name: name, Version: version, AppVersion: appVersion },
        Release: { Name: 'registry', Namespace: 'tools', Service: 'Helm' },
      };
      const rendered = JSON.parse(
        execFileSync(program, {
          input: JSON.stringify({ templates, context }),
          encoding: 'utf8',
          stdio: ['pipe', 'pipe', 'pipe'],
        }),
      ) as Record<string, string>;
      const manifests = Object.entries(rendered)
        .filter(([path]) => path.endsWith('.yaml'))
        .flatMap(([path, text]) =>
          parseAllDocuments(text).flatMap((document) => {
            if (document.errors[0]) throw new Error(`${basename(path)}: ${document.errors[0].message}\n${text}`);
            const manifest = document.toJS() as Manifest | null;
            return manifest ? [[manifest.kind, manifest] as const] : [];
          }),
        );
      return { manifests: Object.fromEntries(manifests), notes: rendered['berth/templates/NOTES.txt'] ?? '' };
    },
    close: () => {
      rmSync(directory, { recursive: true });
    },
  };
}

/** Merges as Helm does: objects recursively, everything else is replaced. */
function merged(base: Values, over: Values): Values {
  const isObject = (value: unknown): value is Values =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  return {
    ...base,
    ...Object.fromEntries(
      Object.entries(over).map(([name, value]) => [
        name,
        isObject(value) && isObject(base[name]) ? merged(base[name], value) : value,
      ]),
    ),
  };
}
