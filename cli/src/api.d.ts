// What this package uses of @berth/api; the path in tsconfig.json leads here, since the server is compiled on its own.

/** Runs a server as this process until SIGTERM or SIGINT. */
export function serve(env: NodeJS.ProcessEnv): Promise<void>;
