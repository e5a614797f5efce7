// Groups the settings of one connection into the options of the module that opens it.

import { join } from 'node:path';
import type { Config } from './schema.ts';

/** Path of the SQLite file, or the PostgreSQL URL. */
export function databaseUrl(config: Config): string {
  return config.DATABASE_URL ?? join(config.DATA_DIR, 'berth.db');
}

/** The proxies for outbound requests. */
export function proxiesOf({ HTTP_PROXY, HTTPS_PROXY, NO_PROXY }: Config): {
  HTTP_PROXY?: string | undefined;
  HTTPS_PROXY?: string | undefined;
  NO_PROXY?: string | undefined;
} {
  return { HTTP_PROXY, HTTPS_PROXY, NO_PROXY };
}

/** The identity service; undefined with AUTH_MODE=local. */
export function directoryOf({
  AUTH_MODE,
  DIRECTORY_URL = '',
  PRIVATE_DIRECTORY_URL = DIRECTORY_URL,
  DIRECTORY_TOKEN_ISSUER,
  DIRECTORY_TOKEN_AUDIENCE,
}: Config) {
  const trim = (url: string) => url.replace(/\/+$/, '');
  return AUTH_MODE === 'simple-directory'
    ? {
        url: trim(DIRECTORY_URL),
        privateUrl: trim(PRIVATE_DIRECTORY_URL),
        issuer: DIRECTORY_TOKEN_ISSUER,
        audience: DIRECTORY_TOKEN_AUDIENCE,
      }
    : undefined;
}

/** The OpenID provider; undefined if none is configured. */
export function oidcOf(config: Config) {
  const {
    OIDC_ISSUER,
    OIDC_CLIENT_ID = '',
    OIDC_CLIENT_SECRET = '',
    OIDC_NAME,
    OIDC_SCOPES,
    OIDC_EMAIL_VERIFIED_CLAIM,
    OIDC_ORGANIZATIONS_CLAIM,
    OIDC_ADMIN_CLAIM,
    OIDC_ADMIN_VALUE,
  } = config;
  return OIDC_ISSUER === undefined
    ? undefined
    : {
        name: OIDC_NAME,
        issuer: OIDC_ISSUER.replace(/\/+$/, '').replace(/\/+\.well-known\/openid-configuration$/, ''),
        clientId: OIDC_CLIENT_ID,
        clientSecret: OIDC_CLIENT_SECRET,
        scopes: OIDC_SCOPES,
        claims: {
          emailVerified: OIDC_EMAIL_VERIFIED_CLAIM,
          organizations: OIDC_ORGANIZATIONS_CLAIM,
          admin: OIDC_ADMIN_CLAIM,
          adminValue: OIDC_ADMIN_VALUE,
        },
      };
}

/** The mail server; undefined if none is configured. */
export function mailOf({ SMTP_URL, MAIL_FROM, PUBLIC_URL }: Config): { url: string; from: string } | undefined {
  return SMTP_URL === undefined
    ? undefined
    : { url: SMTP_URL, from: MAIL_FROM ?? `berth@${new URL(PUBLIC_URL).hostname}` };
}
