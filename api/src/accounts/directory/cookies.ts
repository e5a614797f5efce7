// Cookies of the Data Fair identity service, which it shares with its services on one host.

import type { IncomingHttpHeaders } from 'node:http';
import { readCookie } from '../sessions/session-cookie.ts';

export interface DirectoryCookies {
  token: string | undefined;
  /** Organisation that the user acts for; undefined if they act for themselves. */
  organization: string | undefined;
  department: string | undefined;
  role: string | undefined;
  language: string | undefined;
}

const LANGUAGE = /^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/;

export function readDirectoryCookies({ cookie = '' }: IncomingHttpHeaders): DirectoryCookies {
  const read = (name: string) => readCookie(cookie, name) || undefined;
  const [unsigned, signature] = [read('id_token'), read('id_token_sign')];
  const language = read('i18n_lang');
  return {
    // Some deployments send the whole token in one cookie.
    token: unsigned === undefined ? undefined : signature === undefined ? unsigned : `${unsigned}.${signature}`,
    organization: read('id_token_org'),
    department: read('id_token_dep'),
    role: read('id_token_role'),
    language: language !== undefined && LANGUAGE.test(language) ? language : undefined,
  };
}

/**
 * Formats the cookies that choose a membership, as the identity service's pages write them: readable by scripts, valid
 * for the whole host.
 */
export function formatAccountCookies(
  {
    organization,
    department,
    role,
  }: { organization?: string | undefined; department?: string | undefined; role?: string | undefined },
  secure: boolean,
): string[] {
  const format = (name: string, value: string | undefined) =>
    `${name}=${encodeURIComponent(value ?? '')}; Path=/; ` +
    `SameSite=Lax${secure ? '; Secure' : ''}${value === undefined ? '; Max-Age=0' : ''}`;
  return [format('id_token_org', organization), format('id_token_dep', department), format('id_token_role', role)];
}
