// `berth remotes`: mirrors of other registries, over the API for superadmins, and by a file where no network leads.

import { defineGroup } from './command.ts';
import { exportCommand, importCommand } from './remotes-bundle.ts';
import { add, list, remove, set, show } from './remotes-registries.ts';
import { artefacts, select, unselect } from './remotes-selection.ts';
import { sync } from './remotes-sync.ts';

export const remotes = defineGroup('remotes', 'mirror other registries, over a network or by a file', {
  add,
  ls: list,
  show,
  set,
  remove,
  artefacts,
  select,
  unselect,
  sync,
  export: exportCommand,
  import: importCommand,
});
