import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runEventsCrashes, SITES } from '../events-crash.ts';

const KILLS: Record<keyof typeof SITES, number> = { 'SQLite and files': 20, 'PostgreSQL and files': 50 };

for (const name of Object.keys(SITES) as (keyof typeof SITES)[]) {
  const kills = KILLS[name];
  test(`${kills} random kills neither lose, repeat nor reorder an event on ${name}`, async () => {
    const report = await runEventsCrashes(kills, SITES[name]);
    assert.deepEqual(report.broken, []);
    assert.equal(report.kills, kills);
    assert.ok(report.unanswered > 0, 'some changes must have been interrupted');
    assert.ok(report.events > kills, `${report.events} events: some changes must have been made between two kills`);
    assert.ok(report.connections > kills, 'kills must have interrupted the readers');
  });
}
