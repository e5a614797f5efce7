export { accountCleanupJob } from './cleanup.ts';
export { createAccounts } from './accounts.ts';
export type { Accounts, AccountsOptions } from './accounts.ts';
export { countAuthSecretUse, deleteAuthSecretUse } from './auth/lost-secret-repository.ts';
export type { PasswordHashing } from './password.ts';
export type { FirstSuperadmin } from './users/first-superadmin.ts';
