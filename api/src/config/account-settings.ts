// Settings of users and sign-in, and the secrets that protect keys and sessions.

import { Type } from 'typebox';
import { HttpUrl, List, OneOf, Secret } from './field-types.ts';

export const accountSettings = {
  AUTH_MODE: OneOf(['local', 'simple-directory'], {
    default: 'local',
    description:
      'Source of users and organisations: this registry (local), or the Data Fair identity service ' +
      '(simple-directory)',
  }),
  DIRECTORY_URL: HttpUrl({
    examples: ['https://example.org/simple-directory'],
    description: 'URL at which users sign in. Required with AUTH_MODE=simple-directory',
  }),
  PRIVATE_DIRECTORY_URL: HttpUrl({
    examples: ['http://simple-directory:8080'],
    description: 'URL at which Berth reaches the identity service. Default: DIRECTORY_URL',
  }),
  DIRECTORY_TOKEN_ISSUER: Type.Optional(
    Type.String({
      minLength: 1,
      examples: ['https://example.org/simple-directory'],
      description: 'Issuer (iss) that session tokens of the identity service must name. Default: not checked',
    }),
  ),
  DIRECTORY_TOKEN_AUDIENCE: Type.Optional(
    Type.String({
      minLength: 1,
      examples: ['berth'],
      description: 'Audience (aud) that session tokens of the identity service must name. Default: not checked',
    }),
  ),
  OIDC_ISSUER: HttpUrl({
    examples: ['https://login.example.org/realms/acme'],
    description:
      'OpenID provider for single sign-on, in addition to passwords; must serve ' +
      '/.well-known/openid-configuration below this URL',
  }),
  OIDC_CLIENT_ID: Type.Optional(
    Type.String({ minLength: 1, description: 'Client ID of Berth at the provider. Required with OIDC_ISSUER' }),
  ),
  OIDC_CLIENT_SECRET: Type.Optional(
    Type.String({
      minLength: 1,
      secret: true,
      description: 'Client secret of Berth at the provider. Required with OIDC_ISSUER',
    }),
  ),
  OIDC_NAME: Type.String({
    minLength: 1,
    maxLength: 100,
    default: 'single sign-on',
    description: 'Name of the provider on the sign-in page',
  }),
  OIDC_SCOPES: List({ default: ['openid', 'profile', 'email'], description: 'Scopes to request' }),
  OIDC_EMAIL_VERIFIED_CLAIM: Type.Optional(
    Type.String({
      minLength: 1,
      examples: ['xms_edov'],
      description:
        'Claim that says that an e-mail address is verified, without which nobody gets a user. Default: ' +
        'email_verified',
    }),
  ),
  OIDC_ORGANIZATIONS_CLAIM: Type.Optional(
    Type.String({
      minLength: 1,
      examples: ['organizations'],
      description:
        'Claim that lists the organisations of a user, as acme, acme:admin or { id, name, role }; each sign-in sets ' +
        'their memberships to exactly this list',
    }),
  ),
  OIDC_ADMIN_CLAIM: Type.Optional(
    Type.String({ minLength: 1, examples: ['groups'], description: 'Claim that makes a user a superadmin' }),
  ),
  OIDC_ADMIN_VALUE: Type.Optional(
    Type.String({
      minLength: 1,
      examples: ['berth-admins'],
      description: 'Value that OIDC_ADMIN_CLAIM must equal or contain. Default: true',
    }),
  ),
  ADMIN_EMAIL: Type.String({
    minLength: 3,
    default: 'admin@localhost',
    description: 'E-mail address of the superadmin created at the first start',
  }),
  ADMIN_PASSWORD: Type.Optional(
    Type.String({
      minLength: 8,
      maxLength: 128,
      secret: true,
      description: 'Password of that superadmin. Default: generated and printed once',
    }),
  ),
  SECRET_INTERNAL_SERVICES: Type.Optional(
    Type.String({
      // What an HTTP header can carry (RFC 9110, section 5.5); a client could not send anything else. Shorter secrets
      // could be guessed, and whoever has this one may do almost everything.
      pattern: '^([\\x21-\\x7e][\\x20-\\x7e]{10,}[\\x21-\\x7e])?$',
      expected:
        'empty, or at least 12 characters of printable ASCII, which an HTTP header can carry, without a space at ' +
        'either end',
      secret: true,
      description:
        'Secret that internal services send as x-secret-key; empty disables internal access. Generated if unset ' +
        'with SQLite',
    }),
  ),
  API_KEYS_SALT: Secret('HMAC key under which API keys are hashed. Generated if unset with SQLite'),
  CIPHER_PASSWORD: Secret('Password that encrypts the keys of remote registries. Generated if unset with SQLite'),
  AUTH_SECRET: Secret('Key that signs session cookies. Generated if unset with SQLite'),
};
