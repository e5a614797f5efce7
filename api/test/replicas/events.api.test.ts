import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { startBalancer, type Balancer } from './balancer.ts';
import { startReplicas, type Replicas } from './replicas.ts';

let replicas: Replicas;
let nginx: Balancer;
let session: Record<string, string>;

before(async () => {
  replicas = await startReplicas({ count: 3 });
  nginx = await startBalancer(replicas.all.map(({ url }) => url));
  session = await replicas.all[0]!.superadmin();
});
after(async () => {
  await nginx.close();
  await replicas.close();
});

interface Watcher {
  /** Address of the replica that sends the events. */
  upstream: string | null;
  /** The latest state of each job. */
  jobs: Map<string, { outcome?: string; endedAt?: string }>;
  close(): void;
}

/** Receives events through nginx, which chooses the replica. */
async function watch(): Promise<Watcher> {
  const abort = new AbortController();
  const response = await fetch(`${nginx.url}/api/v1/storage/events`, { headers: session, signal: abort.signal });
  assert.equal(response.status, 200);
  const jobs: Watcher['jobs'] = new Map();
  const read = async () => {
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const events = text.split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) {
        const [, name, data] = /^event: (.*)\ndata: (.*)$/m.exec(event) ?? [];
        if (name !== undefined && data !== undefined) jobs.set(name, JSON.parse(data) as { outcome?: string });
      }
    }
  };
  read().catch((error: unknown) => {
    if (!abort.signal.aborted) throw error;
  });
  return {
    upstream: response.headers.get('x-upstream'),
    jobs,
    close: () => {
      abort.abort();
    },
  };
}

test('events of storage jobs arrive from every replica, whichever runs the job', async () => {
  const watchers = [await watch(), await watch(), await watch()];
  assert.equal(new Set(watchers.map(({ upstream }) => upstream)).size, 3);
  for (const job of ['scrub', 'sweep']) {
    const response = await replicas.all[1]!.api('POST', `/storage/${job}`, {
      headers: session,
      ...(job === 'sweep' && { body: {} }),
    });
    assert.equal(response.status, 202, await response.text());
    await eventually(async () => {
      for (const { jobs } of watchers) assert.equal(jobs.get(job)?.outcome, 'succeeded');
    });
  }
  const ends = watchers.map(({ jobs }) => jobs.get('sweep')?.endedAt);
  assert.ok(ends[0]);
  assert.deepEqual(ends, [ends[0], ends[0], ends[0]]);
  for (const watcher of watchers) watcher.close();
});
