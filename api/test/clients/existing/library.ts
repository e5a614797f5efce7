// The requests of the client library that services have today, and what it reads of the responses. It is not in the
// public npm registry, so this is an imitation of its traffic: one conditional request for each call.

import axios from 'axios';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extractTarball } from '@berth-registry/lib-node';

export interface ClientOptions {
  registryUrl: string;
  secretKey: string;
  artefactId: string;
  cacheDir: string;
  account?: { type: string; id: string; department?: string } | undefined;
  build?: boolean;
  fileName?: string;
}

export interface ClientArtefact {
  path: string;
  version: string;
  dataUpdatedAt: Date;
  hasNativeModules: boolean;
  downloaded: boolean;
}

async function request(options: ClientOptions, since: Date | undefined) {
  const { registryUrl, secretKey, artefactId, account } = options;
  return axios.get<Readable>(`${registryUrl}/api/v1/artefacts/${encodeURIComponent(artefactId)}/download`, {
    headers: {
      'x-secret-key': secretKey,
      ...(account && { 'x-account': JSON.stringify(account) }),
      ...(since && { 'If-Modified-Since': since.toUTCString() }),
    },
    responseType: 'stream',
    proxy: false,
    validateStatus: (status) => status === 200 || status === 304,
  });
}

/** Unpacks to `<cacheDir>/<id>/<version>+<epoch seconds>`; a directory that exists is not filled again. */
export async function ensureArtefact(options: ClientOptions): Promise<ClientArtefact> {
  const folder = join(options.cacheDir, encodeURIComponent(options.artefactId));
  const [name] = await readdir(folder).catch(() => []);
  const seconds = Number(name?.split('+').at(-1));
  const { status, headers, data } = await request(options, name === undefined ? undefined : new Date(seconds * 1000));
  const dataUpdatedAt = new Date(String(headers['last-modified']));
  const version = String(headers['x-artefact-version']);
  const path = join(folder, `${version}+${dataUpdatedAt.getTime() / 1000}`);
  const found = {
    path,
    version,
    dataUpdatedAt,
    hasNativeModules: headers['x-artefact-has-native-modules'] === 'true',
  };
  if (status === 304) {
    data.resume();
    return { ...found, path: join(folder, name ?? ''), downloaded: false };
  }
  if (name !== undefined) await rm(join(folder, name), { recursive: true });
  await mkdir(folder, { recursive: true });
  await extractTarball(data, path);
  return { ...found, downloaded: true };
}

/** Keeps `<cacheDir>/<fileName>`, which has the time of its upload. */
export async function ensureArtefactFile(options: ClientOptions): Promise<{ path: string; downloaded: boolean }> {
  const path = join(options.cacheDir, options.fileName ?? options.artefactId);
  const since = await stat(path).then(
    ({ mtime }) => mtime,
    () => undefined,
  );
  const { status, headers, data } = await request(options, since);
  if (status === 304) {
    data.resume();
    return { path, downloaded: false };
  }
  await mkdir(options.cacheDir, { recursive: true });
  await pipeline(data, createWriteStream(path));
  const date = new Date(String(headers['last-modified']));
  await utimes(path, date, date);
  return { path, downloaded: true };
}
