// Short names for the wire types that several features use.

import type { paths } from './generated/schema.ts';

type Json<T> = T extends { content: { 'application/json': infer Body } } ? Body : never;
type Get<Path extends keyof paths> = paths[Path] extends { get: { responses: { 200: infer Ok } } } ? Json<Ok> : never;
type Post<Path extends keyof paths, Status extends 200 | 201> = paths[Path] extends {
  post: { responses: Record<Status, infer Ok> };
}
  ? Json<Ok>
  : never;
type Item<T> = T extends { results: (infer Result)[] } ? Result : never;

export type Session = Get<'/api/v1/session'>;
export type SignIn = Get<'/api/v1/sign-in'>;
export type Membership = NonNullable<Session['accounts']>[number];
export type Account = NonNullable<Session['account']>;
export type Artefact = Get<'/api/v1/artefacts/{id}'>;
export type Slot = NonNullable<Artefact['tarballs']>[string];
export type Uploader = NonNullable<Artefact['uploadedBy']>;
export type LocalisedText = NonNullable<Artefact['title']>;
export type Client = Item<Get<'/clients'>>;
export type BundledPackage = Item<Get<'/api/v1/artefacts/{id}/packages'>>;
export type PackedFile = Item<Get<'/api/v1/artefacts/{id}/files'>>;
export type ApiKey = Item<Get<'/api/v1/api-keys'>>;
export type TrustedPublisher = Item<Get<'/api/v1/trusted-publishers'>>;
export type AccessGrant = Item<Get<'/api/v1/access-grants'>>;
export type User = Item<Get<'/api/v1/users'>>;
export type Organization = Item<Get<'/api/v1/organizations'>>;
export type OrganizationDetail = Get<'/api/v1/organizations/{id}'>;
export type Invitation = Item<Get<'/api/v1/organizations/{id}/invitations'>>;
export type CreatedInvitation = Post<'/api/v1/organizations/{id}/invitations', 201>;
export type AuditEvent = Item<Get<'/api/v1/audit-events'>>;
export type Remote = Item<Get<'/api/v1/remote-registries'>>;
export type RemoteArtefact = Item<Get<'/api/v1/remote-registries/{id}/remote-artefacts'>>;
export type Storage = Get<'/api/v1/storage'>;
export type Stats = Get<'/api/v1/stats'>;
export type UserSession = Item<Get<'/api/v1/sessions'>>;
