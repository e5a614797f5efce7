// Connections to other servers. After a redirect to another origin, the address that is connected to must be no
// further inside than that of the redirecting server: otherwise whoever runs it could read what only this one reaches.

import type { LookupAddress, LookupAllOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { buildConnector, type Dispatcher } from 'undici';
import { createAddressCheck, depthOf, depthOfHost, type Depth, type Networks } from './addresses.ts';
import { AddressRefusedError } from './response-errors.ts';

export interface ConnectionOptions {
  privateNetworks: Networks;
  /** `dns.lookup`, for all addresses of a name. */
  resolve: Resolve;
  /** To accept a connection. */
  timeoutMs: number;
  /** Opens the pools of all servers, which connect in this way unless there is a proxy. */
  open: (connect: buildConnector.connector) => Dispatcher & { destroy(): Promise<void> };
}

export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface Connections {
  /**
   * Chooses the pools for a URL.
   * @param redirectedFrom see `GetOptions`
   * @throws AddressRefusedError if the host of the URL is an address that is refused
   */
  dispatcherFor(url: URL, redirectedFrom: URL | undefined): Dispatcher;
  /** Closes all connections; requests in flight fail. */
  close(): Promise<void>;
}

export function createConnections({ privateNetworks, timeoutMs, resolve, open }: ConnectionOptions): Connections {
  /**
   * The outermost address that each origin has been reached at. A server chooses what its name resolves to: it counts
   * as inside only if it never was anywhere else, since then nobody else can have sent its redirects.
   */
  const depths = new Map<string, Depth>();
  const dispatchers = new Map<Depth | undefined, ReturnType<ConnectionOptions['open']>>();

  const depthOfOrigin = ({ origin, hostname }: URL): Depth => depths.get(origin) ?? depthOfHost(hostname) ?? 0;

  function dispatcherOf(depth: Depth | undefined): Dispatcher {
    let dispatcher = dispatchers.get(depth);
    if (!dispatcher) {
      dispatcher = open(depth === undefined ? recording() : checked(createAddressCheck(depth, privateNetworks)));
      dispatchers.set(depth, dispatcher);
    }
    return dispatcher;
  }

  function recording(): buildConnector.connector {
    const lookup = checkedLookup(resolve, () => true);
    const connector = buildConnector({ timeout: timeoutMs, allowH2: false, lookup });
    return (options, callback) => {
      connector(options, (...result) => {
        const [, socket] = result;
        if (socket?.remoteAddress !== undefined) {
          const { origin } = new URL(`${options.protocol}//${options.host ?? options.hostname}`);
          depths.set(origin, Math.min(depths.get(origin) ?? 3, depthOf(socket.remoteAddress)) as Depth);
        }
        callback(...result);
      });
    };
  }

  function checked(isAllowed: (address: string) => boolean): buildConnector.connector {
    return buildConnector({ timeout: timeoutMs, allowH2: false, lookup: checkedLookup(resolve, isAllowed) });
  }

  return {
    dispatcherFor(url, redirectedFrom) {
      if (!redirectedFrom) return dispatcherOf(undefined);
      const depth = depthOfOrigin(redirectedFrom);
      // An address in the URL is connected to without a lookup. A proxy resolves names itself, but not addresses.
      const hostDepth = depthOfHost(url.hostname);
      const address = url.hostname.replace(/^\[(.*)\]$/, '$1');
      if (hostDepth !== undefined && hostDepth > depth && !createAddressCheck(depth, privateNetworks)(address))
        throw new AddressRefusedError();
      return dispatcherOf(depth);
    },
    async close() {
      await Promise.all([...dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
    },
  };
}

/** Resolves names like Node does, without the addresses that are not allowed: whatever it returns is connected to. */
function checkedLookup(resolve: Resolve, isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const allowed = error ? [] : addresses.filter(({ address }) => isAllowed(address));
      const [first] = allowed as [LookupAddress | undefined];
      if (error) callback(error, []);
      else if (!first) callback(new AddressRefusedError(), []);
      else if (options.all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}
