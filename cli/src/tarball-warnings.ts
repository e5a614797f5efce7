// Warnings of the registry about a tarball: it is accepted, but not all systems can unpack it.

import type { ArtefactSlot, TarballWarning } from '@berth-registry/lib-node';

const TEXTS: Record<string, string> = {
  name_collision: 'names that are the same where case or the form of accents is ignored, as on macOS and Windows',
  windows_name: 'names that Windows cannot hold',
};

/** One sentence for each warning of a slot, with the names that the registry tells. */
export function describeWarnings({ warnings = [] }: Pick<ArtefactSlot, 'warnings'>): string[] {
  return warnings.map(describeWarning);
}

function describeWarning({ code, count, paths = [] }: TarballWarning): string {
  const names = paths.map((path) => JSON.stringify(path)).join(', ');
  const more = count > paths.length && names !== '' ? ', …' : '';
  return `${TEXTS[code] ?? code}: ${names === '' ? count : `${names}${more}`}`;
}
