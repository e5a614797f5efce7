// Every page with a list. With BERTH_TEST_SCREENSHOTS=<folder>, tests save screenshots of their rare states (loading,
// empty, failed, very long) for review.

import { join } from 'node:path';
import { suffixOf, type Visitor } from './visitor.ts';

/** Each page with the request of its list, and the message that it shows when the list is empty. */
export const LISTS: Record<string, { page: string; route: string; emptyKey?: Parameters<Visitor['t']>[0] }> = {
  'browse': { page: '?view=table', route: '**/api/v1/artefacts?**', emptyKey: 'browse.empty' },
  'publishers': { page: 'admin/publishers', route: '**/api/v1/trusted-publishers', emptyKey: 'publishers.none' },
  'upload-keys': { page: 'admin/keys', route: '**/api/v1/api-keys?**', emptyKey: 'account.noKeys' },
  'grants': { page: 'admin/grants', route: '**/api/v1/access-grants?**', emptyKey: 'admin.noGrants' },
  'users': { page: 'admin/users', route: '**/api/v1/users?**' },
  'organizations': {
    page: 'admin/organizations',
    route: '**/api/v1/organizations?**',
    emptyKey: 'admin.noOrganizations',
  },
  'audit': { page: 'admin/audit', route: '**/api/v1/audit-events?**' },
  'remotes': { page: 'admin/remotes', route: '**/api/v1/remote-registries', emptyKey: 'remotes.none' },
  'storage': { page: 'admin/storage', route: '**/api/v1/storage' },
  'dashboard': { page: 'admin', route: '**/api/v1/stats?**' },
  'read-keys': { page: 'account/keys', route: '**/api/v1/api-keys?**', emptyKey: 'account.noKeys' },
  'sessions': { page: 'account/security', route: '**/api/v1/sessions' },
};

/** Saves a screenshot of the page if BERTH_TEST_SCREENSHOTS is set. */
export async function saveScreenshot({ page, variant }: Visitor, name: string): Promise<void> {
  const folder = process.env['BERTH_TEST_SCREENSHOTS'];
  if (folder) await page.screenshot({ path: join(folder, `${name}-${suffixOf(variant)}.png`), fullPage: true });
}
