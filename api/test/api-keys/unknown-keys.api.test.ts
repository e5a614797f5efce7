import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';

const LIMIT = 60;

for (const dialect of DIALECTS) {
  describe(`unknown keys, on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect, env: { TRUSTED_PROXIES: '192.0.2.0/24' } });
    });
    after(() => server.close());

    const guess = (number: number, headers: Record<string, string> = {}) =>
      server.api('GET', '/artefacts', {
        headers: { ...headers, 'x-api-key': `reg_00000000_${number.toString(16).padStart(64, '0')}` },
      });

    test('are limited by the real client address, and valid keys are not', async () => {
      const key = await server.uploadKey();
      for (let number = 0; number < LIMIT; number++)
        await readProblem(
          await guess(number, {
            'x-forwarded-for': `198.51.100.${number}`,
            'forwarded': `for=198.51.100.${number}`,
          }),
          401,
          'api_key_invalid',
        );
      const refused = await guess(LIMIT);
      assert.ok(Number(refused.headers.get('retry-after')) > 0);
      await readProblem(refused, 429, 'too_many_attempts');
      assert.equal((await server.api('GET', '/artefacts', { headers: { 'x-api-key': key } })).status, 200);
      assert.equal((await server.api('GET', '/artefacts')).status, 200);
    });
  });
}
