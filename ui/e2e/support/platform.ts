// A platform on one host: nginx in front of a registry below a path, and of the platform's own pages below
// /data-fair/, which show the registry in the platform's own frame element.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../../api/test/support/free-port.ts';
import { startExampleNginx, type ProxyKind } from '../../../api/test/support/nginx-example.ts';
import { startTestServer } from '../../../api/test/support/test-server.ts';
import { NAMED_HOST } from './visitor.ts';
import type { Registry } from './registry.ts';

const ELEMENT = readFileSync(fileURLToPath(import.meta.resolve('@data-fair/frame/dist/d-frame.min.js')));

export interface Platform {
  registry: Registry;
  /** `http://berth.test:<port>`. */
  url: string;
  /** URL of the platform's pages under another host name, with the same content. */
  otherUrl: string;
  /** Attributes of the frame on the platform's pages. */
  frame: string;
  /** HTML of further pages, by path. */
  pages: Map<string, string>;
  close(): Promise<void>;
}

export interface PlatformOptions {
  /** Path of the registry. Default `/registry`. */
  path?: string;
  /** Default `keeps`. */
  proxy?: ProxyKind;
  /** FRAME_ANCESTORS, given the URL of the platform's pages under another host name. */
  frameAncestors?: (otherUrl: string) => string;
}

/** Starts it under a host name that is not local, so that browsers treat it as they do any site over plain HTTP. */
export async function startPlatform({
  path = '/registry',
  proxy = 'keeps',
  frameAncestors = () => "'self'",
}: PlatformOptions = {}): Promise<Platform> {
  const pages = new Map<string, string>();
  const site = createServer(({ url = '' }, response) => {
    if (url === '/data-fair/d-frame.js') return response.setHeader('content-type', 'text/javascript').end(ELEMENT);
    return response.setHeader('content-type', 'text/html').end(pages.get(url) ?? framePage(platform.frame));
  }).listen(0, '127.0.0.1');
  await once(site, 'listening');
  const sitePort = (site.address() as AddressInfo).port;
  const port = await freePort();
  const nginx = await startExampleNginx({
    upstreams: [`http://127.0.0.1:${port}`],
    below: { path, proxy },
    changes: {
      'location /internal-blobs/ {': `location /data-fair/ { proxy_pass http://127.0.0.1:${sitePort}; }
      location /internal-blobs/ {`,
    },
  });
  const url = nginx.url.replace('127.0.0.1', NAMED_HOST);
  const otherUrl = `http://localhost:${sitePort}`;
  const server = await startTestServer({
    env: { PORT: String(port), PUBLIC_URL: url + path, FRAME_ANCESTORS: frameAncestors(otherUrl) },
  });
  const platform: Platform = {
    registry: { ...server, pages: `${url}${path}/` },
    url,
    otherUrl,
    frame: '',
    pages,
    async close() {
      await server.close();
      await nginx.close();
      site.closeAllConnections();
      site.close();
    },
  };
  return platform;
}

/** A page with the frame, which records the messages of its content in `received`. */
function framePage(attributes: string): string {
  return `<!doctype html><html lang="en"><title>platform</title>
    <link rel="icon" href="data:,">
    <style>body { margin: 0 } d-frame { display: block }</style>
    <script>
      window.received = [];
      addEventListener('message', ({ data }) => received.push(data));
    </script>
    <script src="/data-fair/d-frame.js"></script>
    <d-frame ${attributes}></d-frame>`;
}
