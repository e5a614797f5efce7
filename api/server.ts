// The process: configuration → server → listening → a graceful stop.

import { enableCompileCache } from 'node:module';

enableCompileCache();
const { ConfigError, createServer } = await import('./index.ts');

try {
  const server = await createServer({ env: process.env });
  if (server.firstSuperadmin) announce(server.firstSuperadmin, server.config.PUBLIC_URL);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(server));
} catch (error) {
  process.stderr.write(error instanceof ConfigError ? `Berth cannot start: ${error.message}\n` : `Berth cannot start: ${error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
  process.exit(1);
}

async function stop(server: Awaited<ReturnType<typeof createServer>>): Promise<void> {
  await server.close();
  process.exit(0);
}

/** Says once where to sign in and with what. */
function announce({ email, password }: { email: string; password?: string }, publicUrl: string): void {
  process.stdout.write(`\n  Berth is ready at ${publicUrl}\n  Sign in as ${email} with the password ${password ?? 'in ADMIN_PASSWORD'}${password ? ' (shown only now)' : ''}\n\n`);
}
