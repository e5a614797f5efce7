// A registry that tries to block its mirrors for ever: it writes endless or stalled HTTP responses to a raw socket.

import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';

/** A kind of bad response, and the error of the mirror: slow ones count as unavailable, invalid HTTP as invalid. */
export interface Attack {
  name: string;
  code: 'remote_unavailable' | 'remote_answer_invalid';
  respond(this: void, socket: net.Socket, body: Buffer): void;
}

export interface HostileUpstream {
  url: string;
  openConnections(): number;
  close(): Promise<void>;
}

/** Returns the body for a path, and the attack with which to send it, if any; undefined for 404. */
export type Script = (path: string) => { body: Buffer; attack?: Attack | undefined } | undefined;

const DRIP_MS = 30;
const FLOOD_BYTES = 200_000;
const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const LAST_CHUNK = '0\r\n';
const INTERIM = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';

function sized(body: Buffer): string {
  return `${OK}Content-Length: ${body.length}\r\n\r\n${body.toString('latin1')}`;
}

function chunk(body: Buffer): string {
  return `${body.length.toString(16)}\r\n${body.toString('latin1')}\r\n`;
}

/** Writes a piece at each interval until the socket is closed or there is no more. */
function repeat(socket: net.Socket, everyMs: number, next: () => string | undefined): void {
  const timer = setInterval(() => {
    const piece = next();
    if (piece === undefined) clearInterval(timer);
    else if (socket.writableLength < 1_000_000) socket.write(piece, 'latin1');
  }, everyMs);
  socket.once('close', () => {
    clearInterval(timer);
  });
}

/** Writes `first` immediately, and the rest byte by byte. */
function drip(socket: net.Socket, first: string, rest: string): void {
  if (first !== '') socket.write(first, 'latin1');
  let at = 0;
  repeat(socket, DRIP_MS, () => rest[at++]);
}

/** Writes `first`, then `again` repeatedly: FLOOD_BYTES immediately, then without end. */
function flood(socket: net.Socket, first: string, again: string): void {
  socket.write(first + again.repeat(FLOOD_BYTES / again.length), 'latin1');
  repeat(socket, DRIP_MS, () => again);
}

type Respond = Attack['respond'];

/** A response that takes too long: a transient failure. */
function slow(name: string, respond: Respond): Attack {
  return { name, code: 'remote_unavailable', respond };
}

/** A response that violates HTTP or its limits: a permanent failure. */
function broken(name: string, respond: Respond): Attack {
  return { name, code: 'remote_answer_invalid', respond };
}

export const ATTACKS: readonly Attack[] = [
  slow('silence', () => undefined),
  slow('a head byte by byte', (socket, body) => {
    drip(socket, '', sized(body));
  }),
  slow('headers line by line', (socket) => {
    socket.write(OK);
    repeat(socket, DRIP_MS, () => 'X: y\r\n');
  }),
  broken('headers without an end', (socket) => {
    flood(socket, OK, 'X: y\r\n');
  }),
  broken('interim responses without an end', (socket) => {
    flood(socket, INTERIM, INTERIM);
  }),
  broken('nine interim responses', (socket, body) => {
    socket.write(INTERIM.repeat(9) + sized(body), 'latin1');
  }),
  slow('interim responses byte by byte', (socket, body) => {
    drip(socket, '', INTERIM.repeat(8) + sized(body));
  }),
  slow('a chunk size byte by byte', (socket, body) => {
    drip(socket, CHUNKED, `${'0'.repeat(500)}${chunk(body)}${LAST_CHUNK}\r\n`);
  }),
  slow('the last chunk size byte by byte', (socket, body) => {
    drip(socket, CHUNKED + chunk(body), `${'0'.repeat(500)}\r\n\r\n`);
  }),
  slow('a chunk size that is too long', (socket, body) => {
    socket.write(`${CHUNKED}${body.length.toString(16)};${'x'.repeat(2000)}\r\n${body.toString('latin1')}`, 'latin1');
  }),
  slow('a chunk extension without an end', (socket) => {
    flood(socket, `${CHUNKED}5;`, 'x=y;');
  }),
  slow('trailers byte by byte', (socket, body) => {
    drip(socket, CHUNKED + chunk(body) + LAST_CHUNK, `${'X: y\r\n'.repeat(100)}\r\n`);
  }),
  broken('trailers that are too large', (socket, body) => {
    socket.write(`${CHUNKED}${chunk(body)}${LAST_CHUNK}X: ${'y'.repeat(70_000)}\r\n\r\n`, 'latin1');
  }),
  broken('trailers without an end', (socket, body) => {
    flood(socket, CHUNKED + chunk(body) + LAST_CHUNK, 'X: y\r\n');
  }),
  slow('nothing after the only chunk', (socket, body) => {
    socket.write(CHUNKED + chunk(body), 'latin1');
  }),
  slow('a body byte by byte', (socket, body) => {
    drip(socket, `${OK}Content-Length: ${body.length}\r\n\r\n`, body.toString('latin1'));
  }),
  slow('chunks of one byte', (socket) => {
    socket.write(CHUNKED);
    repeat(socket, DRIP_MS, () => '1\r\nx\r\n');
  }),
  slow('a body without a length byte by byte', (socket, body) => {
    drip(socket, `${OK}\r\n`, body.toString('latin1'));
  }),
  broken('bytes behind the end of its body', (socket, body) => {
    socket.write(`${sized(body)}x`, 'latin1');
  }),
  broken('bytes behind the end of its chunks', (socket, body) => {
    socket.write(`${CHUNKED}${chunk(body)}${LAST_CHUNK}\r\nx`, 'latin1');
  }),
  broken('another response behind its end', (socket, body) => {
    socket.write(sized(body) + sized(body), 'latin1');
  }),
  broken('two lengths', (socket, body) => {
    socket.write(
      `${OK}Content-Length: 1\r\nContent-Length: ${body.length}\r\n\r\n${body.toString('latin1')}`,
      'latin1',
    );
  }),
  broken('a negative length', (socket, body) => {
    socket.write(`${OK}Content-Length: -1\r\n\r\n${body.toString('latin1')}`, 'latin1');
  }),
  broken('a length and chunks', (socket, body) => {
    socket.write(
      `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(body)}${LAST_CHUNK}\r\n`,
      'latin1',
    );
  }),
  slow('a body that stops', (socket, body) => {
    socket.write(sized(body).slice(0, -1), 'latin1');
  }),
];

/** Starts a server that responds to each request according to the script. */
export async function startHostileUpstream(script: Script): Promise<HostileUpstream> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      sockets.delete(socket);
    });
    let received = '';
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1');
      for (let end = received.indexOf('\r\n\r\n'); end !== -1; end = received.indexOf('\r\n\r\n')) {
        const path = received.split(' ', 2)[1] ?? '';
        received = received.slice(end + 4);
        const scripted = script(path);
        if (!scripted) socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}');
        else if (scripted.attack) scripted.attack.respond(socket, scripted.body);
        else socket.write(sized(scripted.body), 'latin1');
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    openConnections: () => sockets.size,
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
