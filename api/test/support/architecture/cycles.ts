// Finds import cycles between slices and between files.

import { sliceOf } from './slices.ts';
import type { SourceFile } from './source-files.ts';

export function findSliceCycles(files: SourceFile[]): string[] {
  const imports = new Map<string, Set<string>>();
  for (const file of files) {
    const from = sliceOf(file.path);
    for (const { file: imported } of file.imports) {
      const to = imported === undefined ? undefined : sliceOf(imported);
      if (from && to && from !== to) imports.set(from, (imports.get(from) ?? new Set()).add(to));
    }
  }
  const reaches = (from: string, to: string, visited: Set<string>): boolean => {
    return [...(imports.get(from) ?? [])].some(
      (next) => next === to || (!visited.has(next) && reaches(next, to, visited.add(next))),
    );
  };
  const cycle = [...imports.keys()].filter((slice) => reaches(slice, slice, new Set())).sort();
  return cycle.length > 0 ? [`${cycle.join(', ')} form an import cycle`] : [];
}

/** Finds the strongly connected components of the import graph (Tarjan's algorithm); one line each. */
export function findFileCycles(files: SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[] = [];
  const visit = (path: string): void => {
    order.set(path, order.size);
    low.set(path, order.size - 1);
    stack.push(path);
    for (const { file: next } of byPath.get(path)?.imports ?? []) {
      if (next === undefined || next === path || !byPath.has(next)) continue;
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(path, Math.min(low.get(path)!, low.get(next)!));
    }
    if (low.get(path) !== order.get(path)) return;
    const component = stack.splice(stack.indexOf(path));
    if (component.length > 1) cycles.push(`${component.sort().join(', ')} form an import cycle`);
  };
  for (const { path } of files) if (!order.has(path)) visit(path);
  return cycles.sort();
}
