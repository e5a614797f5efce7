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
   * Renders with values that override those of values.yaml. Returns all manifests, the last one of each kind, and
   * NOTES.txt.
   * @throws Error with the message of a template that fails
   */
  render(values: Values): { all: Manifest[]; manifests: Record<string, Manifest>; notes: string };
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
  const read = (pattern: string, prefix = '') =>
    Object.fromEntries(
      globSync(pattern, { cwd: CHART })
        .sort()
        .map((name) => [prefix + name, readFileSync(join(CHART, name), 'utf8')]),
    );
  const templates = read('templates/**/*.*', 'berth/');
  const files = read('files/*');
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
          input: JSON.stringify({ templates, files, context }),
          encoding: 'utf8',
          stdio: ['pipe', 'pipe', 'pipe'],
        }),
      ) as Record<string, string>;
      const all = Object.entries(rendered)
        .filter(([path]) => path.endsWith('.yaml'))
        .flatMap(([path, text]) =>
          parseAllDocuments(text).flatMap((document) => {
            if (document.errors[0]) throw new Error(`${basename(path)}: ${document.errors[0].message}\n${text}`);
            const manifest = document.toJS() as Manifest | null;
            return manifest ? [manifest] : [];
          }),
        );
      const manifests = Object.fromEntries(all.map((manifest) => [manifest.kind, manifest]));
      return { all, manifests, notes: rendered['berth/templates/NOTES.txt'] ?? '' };
    },
    close: () => {
      rmSync(directory, { recursive: true });
    },
  };
}

/** Merges as Helm does: objects recursively, null removes, everything else is replaced. */
export function merged(base: Values, over: Values): Values {
  const isObject = (value: unknown): value is Values =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const entries = Object.entries(over).map(([name, value]): [string, unknown] => [
    name,
    isObject(value) && isObject(base[name]) ? merged(base[name], value) : value,
  ]);
  return Object.fromEntries(
    Object.entries({ ...base, ...Object.fromEntries(entries) }).filter(([, value]) => value !== null),
  );
}
