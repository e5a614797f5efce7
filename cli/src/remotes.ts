// `berth remotes`: mirrors other registries, over the network for superadmins, or offline through a bundle file.

import { defineGroup } from './command.ts';
import { exportCommand, importCommand } from './remotes-bundle.ts';
import { add, list, remove, set, show } from './remotes-registries.ts';
import { artefacts, select, unselect } from './remotes-selection.ts';
import { sync } from './remotes-sync.ts';

export const remotes = defineGroup('remotes', 'mirror other registries, over the network or offline', {
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
