import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { codeOf } from '../../api/test/support/totp.ts';
import { asAdmin, edit, publish, startRegistry, type Registry } from './support/registry.ts';
import { journey, signIn, visit, withBrowser, type Variant, type Visitor } from './support/visitor.ts';

const PASSWORD = 'second mate 2';

describe('my account', () => {
  withBrowser();
  let registry: Registry;
  const it = () => registry;
  before(async () => {
    registry = await startRegistry();
    for (const [id, name] of [['acme', 'Acme'], ['ungranted', 'Without a grant']]) await asAdmin(registry, 'POST', '/organizations', { id, name });
    await asAdmin(registry, 'POST', '/access-grants', { account: { type: 'organization', id: 'acme' } });
    await publish(registry, 'of-acme', { format: 'file', file: Buffer.from('x') });
    await edit(registry, 'of-acme', { privateAccess: [{ type: 'organization', id: 'acme' }] });
  });
  after(() => registry.close());

  /** Makes a user for one test, with memberships, and signs the visitor in as him. */
  async function become(visitor: Visitor, name: string, memberships: Record<string, 'admin' | 'member'> = {}): Promise<{ id: string; email: string }> {
    const { language, width } = visitor.variant;
    const email = `${name}-${language}-${width}@example.org`;
    const { id } = await asAdmin<{ id: string }>(registry, 'POST', '/users', { email, name, password: PASSWORD });
    for (const [organization, role] of Object.entries(memberships)) await asAdmin(registry, 'PUT', `/organizations/${organization}/members/${id}`, { role });
    await signIn(visitor.context, registry, email, PASSWORD);
    return { id, email };
  }

  journey('tells who one is and what one may', it, async (visitor) => {
    const { page, t, open, assertAccessible } = visitor;
    await become(visitor, 'plain');
    await open('account');
    await page.getByText(t('account.notGranted')).waitFor();
    await assertAccessible();
    for (const part of ['organizations', 'keys', 'security'] as const) {
      await page.getByRole('link', { name: t(`account.${part}`) }).click();
      await assertAccessible();
    }
    await open('admin');
    await page.getByText(t('common.forbidden')).waitFor();
    await assertAccessible();
  });

  journey('changes the password and ends the other sessions', it, async (visitor) => {
    const { page, t, open, variant, expectFailures } = visitor;
    const { email } = await become(visitor, 'careful');
    const elsewhere = await visit(registry, variant);
    await signIn(elsewhere.context, registry, email, PASSWORD);
    await open('account/security');
    await page.getByText(t('account.thisSession')).waitFor();
    await page.getByRole('button', { name: t('account.end'), exact: true }).waitFor();
    expectFailures();
    const form = page.locator('form').filter({ hasText: t('account.changePassword') });
    await form.getByLabel(t('account.currentPassword')).fill('wrong one');
    await form.getByLabel(t('signing.newPassword')).fill('third mate 33');
    await form.getByRole('button', { name: t('common.save') }).click();
    await page.locator('[role=alert] .notice').waitFor();
    await form.getByLabel(t('account.currentPassword')).fill(PASSWORD);
    await form.getByRole('button', { name: t('common.save') }).click();
    await page.getByText(t('account.passwordChanged')).waitFor();
    await elsewhere.open('account');
    await elsewhere.page.waitForURL(/sign-in/);
    await elsewhere.context.close();
  });

  journey('turns the second factor on, signs in with it, and turns it off', it, async (visitor) => {
    const { page, context, t, open, assertAccessible } = visitor;
    const { email } = await become(visitor, 'guarded');
    await open('account/security');
    const section = page.locator('section').filter({ hasText: t('account.twoFactor') });
    await section.getByLabel(t('account.currentPassword')).fill(PASSWORD);
    await section.getByRole('button', { name: t('account.turnOn') }).click();
    const secret = (await section.getByRole('region', { name: t('account.secret') }).innerText()).trim();
    await assertAccessible();
    await section.getByLabel(t('signing.code')).fill(codeOf(secret));
    await section.getByRole('button', { name: t('signing.verify') }).click();
    await page.getByText(t('account.twoFactorOn')).waitFor();
    await context.clearCookies();
    await open('sign-in?redirect=/account/security');
    await page.getByLabel(t('common.email')).fill(email);
    await page.getByLabel(t('common.password')).fill(PASSWORD);
    await page.locator('main').getByRole('button', { name: t('common.signIn'), exact: true }).click();
    await page.getByLabel(t('signing.code')).fill(codeOf(secret));
    await assertAccessible();
    await page.getByRole('button', { name: t('signing.verify') }).click();
    await page.waitForURL((url) => url.pathname === '/registry/account/security');
    await section.getByLabel(t('account.currentPassword')).fill(PASSWORD);
    await section.getByRole('button', { name: t('account.turnOff') }).click();
    await page.getByText(t('account.twoFactorOff')).waitFor();
  });

  journey('switches the account, and with it what is seen', it, async (visitor) => {
    const { page, t, open } = visitor;
    await become(visitor, 'switching', { acme: 'member' });
    await open('');
    await page.getByText(t('browse.emptyMember')).waitFor();
    await page.getByRole('button', { name: t('common.account') }).click();
    await page.getByText('Acme', { exact: true }).click();
    await page.getByText('of-acme').waitFor();
  });

  journey('invites, changes and removes members of one’s organisation', it, async (visitor) => {
    const { page, t, variant, open, assertAccessible } = visitor;
    await become(visitor, 'boss', { acme: 'admin' });
    const { id } = await asAdmin<{ id: string }>(registry, 'POST', '/users', { email: `hand-${variant.language}-${variant.width}@example.org`, name: `hand ${variant.language} ${variant.width}`, password: PASSWORD });
    await asAdmin(registry, 'PUT', `/organizations/acme/members/${id}`, { role: 'member' });
    await open('account/organizations');
    await page.getByRole('button', { name: t('account.actFor') }).click();
    await page.getByRole('heading', { name: t('account.members') }).waitFor();
    await assertAccessible();
    const email = `guest-${variant.language}-${variant.width}@example.org`;
    await page.getByLabel(t('common.email')).fill(email);
    await page.getByRole('button', { name: t('account.invite'), exact: true }).click();
    assert.match(await page.getByRole('region', { name: t('account.invitationLink') }).innerText(), /\/registry\/invitations\//);
    await page.getByText(email).waitFor();
    await page.getByRole('button', { name: t('account.cancelInvitation') }).first().click();
    await page.getByRole('button', { name: `${t('account.removeMember')}: hand ${variant.language} ${variant.width}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: t('account.removeMember') }).click();
    await page.getByText(`hand ${variant.language} ${variant.width}`).waitFor({ state: 'detached' });
    const { members } = await asAdmin<{ members: { user: { id: string } }[] }>(registry, 'GET', '/organizations/acme');
    assert.ok(!members.some(({ user }) => user.id === id));
  });

  journey('makes a read key, rotates it, and revokes it', it, async (visitor) => {
    const { page, t, variant, open, assertAccessible } = visitor;
    await become(visitor, 'reader', { acme: 'admin', ungranted: 'admin' });
    const name = keyName(variant);
    await visitor.context.request.put(`${registry.pages}api/v1/session/account`, { data: { type: 'organization', id: 'ungranted' } });
    await open('account/keys');
    await page.getByText(t('account.keysNeedGrant')).waitFor();
    await visitor.context.request.put(`${registry.pages}api/v1/session/account`, { data: { type: 'organization', id: 'acme' } });
    await open('account/keys');
    await page.getByLabel(t('account.keyName')).fill(name);
    await page.getByLabel(t('account.expiry')).fill('2099-01-01');
    await page.getByRole('button', { name: t('account.newKey') }).click();
    const shown = page.getByRole('region', { name: t('account.theKey') });
    const first = (await shown.innerText()).trim();
    await assertAccessible();
    const status = async (key: string) => (await registry.api('GET', '/artefacts/of-acme/download', { headers: { 'x-api-key': key } })).status;
    assert.equal(await status(first), 200);
    await page.getByRole('button', { name: `${t('account.rotate')}: ${name}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: t('account.rotate') }).click();
    await page.waitForFunction(([label, before]) => document.querySelector(`[aria-label="${label}"]`)?.textContent?.trim() !== before, [t('account.theKey'), first]);
    const second = (await shown.innerText()).trim();
    assert.deepEqual([await status(first), await status(second)], [200, 200]);
    await page.getByRole('button', { name: `${t('account.revoke')}: ${name}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: t('account.revoke') }).click();
    await page.getByText(name).waitFor({ state: 'detached' });
    assert.deepEqual([await status(first), await status(second)], [401, 401]);
  });
});

function keyName({ language, width }: Variant): string { return `tile server ${language} ${width}`; }
