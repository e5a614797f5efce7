// Faults of a registry, or of the network in between, to inject into tests.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendProblem } from './registry-fixture.ts';
import type { Misbehaviour } from './registry-fixture.ts';

/** Limits a misbehaviour to the first `times` requests whose path, without query, ends with `suffix`. */
export function onRequests(suffix: string, times: number, misbehaviour: Misbehaviour): Misbehaviour {
  let left = times;
  return (request, response) => {
    if (left === 0 || !endsWith(request, suffix)) return false;
    left -= 1;
    return misbehaviour(request, response);
  };
}

/** Responds with an error. */
export function failing(status: number, code: string, headers: Record<string, string> = {}): Misbehaviour {
  return (_request, response) => {
    sendProblem(response, status, code, headers);
    return true;
  };
}

/** Closes the connection without a response. */
export function dropping(): Misbehaviour {
  return (request) => {
    request.socket.destroy();
    return true;
  };
}

/** Never responds. */
export function hanging(): Misbehaviour {
  return () => true;
}

/** Sends the right headers with a changed body. */
export function corrupting(change: (body: Buffer) => Buffer): Misbehaviour {
  return (_request, response) => {
    replaceEnd(response, (body, end) => {
      end(change(Buffer.from(body)));
    });
    return false;
  };
}

/** Sends `bytes` of the body and closes the connection. */
export function cutting(bytes: number): Misbehaviour {
  return (_request, response) => {
    replaceEnd(response, (body) => {
      response.write(body.subarray(0, bytes), () => {
        response.destroy();
      });
    });
    return false;
  };
}

/** Sends `bytes` of the body, calls `onStalled`, and sends nothing until `proceed` is called. */
export function stalling(bytes: number, onStalled: (proceed: () => void) => void): Misbehaviour {
  return (_request, response) => {
    replaceEnd(response, (body, end) => {
      response.write(body.subarray(0, bytes), () => {
        onStalled(() => {
          end(body.subarray(bytes));
        });
      });
    });
    return false;
  };
}

/** Redirects with 302. */
export function redirecting(
  location: (request: IncomingMessage) => string,
  headers: Record<string, string> = {},
): Misbehaviour {
  return (request, response) => {
    response.writeHead(302, { location: location(request), ...headers }).end();
    return true;
  };
}

function endsWith(request: IncomingMessage, suffix: string): boolean {
  return request.url?.split('?')[0]?.endsWith(suffix) ?? false;
}

function replaceEnd(response: ServerResponse, replacement: (body: Buffer, end: (body: Buffer) => void) => void): void {
  const end = response.end.bind(response) as (body: Buffer) => void;
  response.end = ((body: Buffer = Buffer.alloc(0)) => {
    replacement(Buffer.from(body), end);
    return response;
  }) as typeof response.end;
}
