// The demo's requests to the registry, each with its curl command.

import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import type { Superadmin } from './superadmin.ts';

interface Slot {
  version: string;
  size: number;
  digest: string;
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** Signs in and returns the session cookie. */
export async function signIn(url: string, superadmin: Superadmin): Promise<string> {
  const response = await post(`${url}/api/auth/sign-in/email`, JSON_TYPE, JSON.stringify(superadmin));
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ');
}

export function signInCommand(url: string, superadmin: Superadmin, cookieFile: string): string {
  return `curl -c ${cookieFile} ${jsonBody(superadmin)} ${url}/api/auth/sign-in/email`;
}

/** Creates an upload key and returns the raw key. */
export async function createKey(url: string, cookie: string, key: object): Promise<string> {
  const response = await post(`${url}/api/v1/api-keys`, { ...JSON_TYPE, cookie }, JSON.stringify(key));
  return ((await response.json()) as { key: string }).key;
}

export function createKeyCommand(url: string, key: object, cookieFile: string): string {
  return `curl -b ${cookieFile} ${jsonBody(key)} ${url}/api/v1/api-keys`;
}

/** Uploads a tarball in one request and returns the slot that it fills. */
export async function publish(url: string, id: string, key: string, tarball: string): Promise<Slot> {
  const form = new FormData();
  form.set('category', 'processing');
  form.set('file', await openAsBlob(tarball), basename(tarball));
  const response = await post(uploadUrl(url, id), { 'x-api-key': key }, form);
  return ((await response.json()) as { artefact: { tarballs: { noarch: Slot } } }).artefact.tarballs.noarch;
}

export function publishCommand(url: string, id: string, key: string, tarball: string): string {
  return `curl -H 'x-api-key: ${key}' -F category=processing -F file=@${tarball} ${uploadUrl(url, id)}`;
}

/** The ID is one path segment, so its slash is encoded. */
function uploadUrl(url: string, id: string): string {
  return `${url}/api/v1/artefacts/npm/${id.replaceAll('/', '%2F')}`;
}

function jsonBody(value: object): string {
  return `-H 'content-type: application/json' -d '${JSON.stringify(value)}'`;
}

async function post(url: string, headers: Record<string, string>, body: string | FormData): Promise<Response> {
  const response = await fetch(url, { method: 'POST', headers, body });
  if (!response.ok) throw new Error(`POST ${url} failed with ${response.status}: ${await response.text()}`);
  return response;
}
