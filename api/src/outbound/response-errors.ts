// Failures of requests to other servers that a retry does not mend.

/** The response is not valid HTTP, or exceeds a limit on headers or interim responses. */
export class ResponseInvalidError extends Error {
  override readonly name = 'ResponseInvalidError';
}

/** A redirect leads to an address further inside the network than the server that sent it. */
export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError';
}
