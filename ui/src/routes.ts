// Routes of all pages, with the role that each one requires.

import { createRouter, createWebHistory, type Router, type RouteRecordRaw } from 'vue-router';
import { registryUrl } from './api/client.ts';
import type { Frame } from './composables/use-frame.ts';
import type { SessionState } from './composables/use-session.ts';
import { artefactPage } from './features/artefacts/artefact.ts';
import BrowsePage from './pages/browse-page.vue';

declare module 'vue-router' {
  interface RouteMeta {
    /** Default: everybody. */
    for?: 'signed-in' | 'superadmin';
  }
}

const signedIn = { for: 'signed-in' } as const;
const superadmin = { for: 'superadmin' } as const;

/** Of the administration of registries that Berth replaces. */
const formerAddresses: RouteRecordRaw[] = [
  { path: '/artefacts', redirect: '/' },
  { path: '/admin/artefacts', redirect: '/' },
  { path: '/admin/artefacts/:id', redirect: ({ params }) => artefactPage(String(params.id)) },
  { path: '/admin/api-keys', redirect: '/admin/keys' },
  { path: '/admin/access-grants', redirect: '/admin/grants' },
  { path: '/admin/remote-registries', redirect: '/admin/remotes' },
  {
    path: '/admin/remote-registries/:id',
    redirect: ({ params }) => `/admin/remotes/${encodeURIComponent(String(params.id))}`,
  },
];

export function createPages(session: SessionState, frame: Frame): Router {
  const router = createRouter({
    history: frame.watchHistory(createWebHistory(registryUrl.pathname)),
    scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? {} : { top: 0 }),
    routes: [
      { path: '/', component: BrowsePage },
      { path: '/artefacts/:id', component: () => import('./pages/artefact-page.vue') },
      { path: '/sign-in', component: () => import('./pages/sign-in-page.vue') },
      { path: '/reset-password', component: () => import('./pages/reset-password-page.vue') },
      { path: '/invitation', component: () => import('./pages/invitation-page.vue') },
      { path: '/welcome', component: () => import('./pages/welcome-page.vue'), meta: signedIn },
      { path: '/upload', component: () => import('./pages/upload-page.vue'), meta: superadmin },
      {
        path: '/account',
        component: () => import('./pages/account/account-page.vue'),
        meta: signedIn,
        children: [
          { path: '', component: () => import('./pages/account/profile-page.vue') },
          { path: 'security', component: () => import('./pages/account/security-page.vue') },
          { path: 'organizations', component: () => import('./pages/account/organizations-page.vue') },
          { path: 'keys', component: () => import('./pages/account/keys-page.vue') },
        ],
      },
      {
        path: '/admin',
        component: () => import('./pages/admin/admin-page.vue'),
        meta: superadmin,
        children: [
          { path: '', component: () => import('./pages/admin/dashboard-page.vue') },
          { path: 'keys', component: () => import('./pages/admin/keys-page.vue') },
          { path: 'publishers', component: () => import('./pages/admin/publishers-page.vue') },
          { path: 'grants', component: () => import('./pages/admin/grants-page.vue') },
          { path: 'users', component: () => import('./pages/admin/users-page.vue') },
          { path: 'organizations', component: () => import('./pages/admin/organizations-page.vue') },
          { path: 'organizations/:id', component: () => import('./pages/admin/organization-page.vue') },
          { path: 'audit', component: () => import('./pages/admin/audit-page.vue') },
          { path: 'remotes', component: () => import('./pages/admin/remotes-page.vue') },
          { path: 'remotes/:id', component: () => import('./pages/admin/remote-page.vue') },
          { path: 'storage', component: () => import('./pages/admin/storage-page.vue') },
        ],
      },
      ...formerAddresses,
      { path: '/:rest(.*)*', component: () => import('./pages/not-found-page.vue') },
    ],
  });
  router.beforeEach((to) => {
    if (to.meta.for && !session.isSignedIn.value) return { path: '/sign-in', query: { redirect: to.fullPath } };
    return true;
  });
  frame.onNavigation((path) => void router.replace(path));
  // After a server update, an open page may import chunks of the old build that are gone: reload, once for each path.
  router.onError((error, to) => {
    if (isMissingChunk(error) && (history.state as { berthReloaded?: string } | null)?.berthReloaded !== to.fullPath)
      reloadAt(router, to.fullPath);
  });
  return router;
}

function isMissingChunk(error: unknown): boolean {
  return error instanceof TypeError && /module/i.test(error.message);
}

function reloadAt(router: Router, path: string): void {
  history.replaceState({ ...(history.state as object), berthReloaded: path }, '', router.resolve(path).href);
  location.reload();
}
