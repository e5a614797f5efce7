export { createAccounts } from './accounts.ts';
export type { Accounts, AccountsOptions } from './accounts.ts';
export type { PasswordHashing } from './password.ts';
export type { FirstSuperadmin } from './users/service.ts';
