import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { startTestServer } from '../../api/test/support/test-server.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';

interface Rule {
  alert: string;
  expr: string;
  for: string;
  labels: { severity: string };
  annotations: { summary: string; runbook_url: string };
}
interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  datasource?: unknown;
  targets?: { refId: string; datasource: unknown; expr: string }[];
}
interface Dashboard {
  schemaVersion: number;
  panels: Panel[];
  templating: { list: { name: string; type: string; query: unknown }[] };
}

const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8');
const ALERTS = 'deploy/prometheus/alerts.yaml';
const DATA_SOURCE = { type: 'prometheus', uid: '${datasource}' };
const COLUMNS = 24;

const rules = (parse(read(ALERTS)) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(read('deploy/grafana/berth.json')) as Dashboard;
const targets = dashboard.panels.flatMap((panel) => panel.targets ?? []);
const expressions = [...rules, ...targets].map(({ expr }) => expr);

function promtool(...words: string[]): void {
  const { status, stdout, stderr } = spawnSync('promtool', words, { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
}

/** Names of the metrics in expressions, without the suffixes of the series of a histogram. */
function metricsIn(texts: readonly string[]): Set<string> {
  const names = texts.flatMap((text) => text.match(/\b(?:berth|process|nodejs)_\w+/g) ?? []);
  return new Set(names.map((name) => name.replace(/_(?:count|bucket|sum)$/, '')));
}

describe('the metrics of a server', () => {
  let scraped: string;
  before(async () => {
    // With PostgreSQL, it has the metrics of the connections, too.
    const server = await startTestServer({ dialect: 'postgres', storage: 'fs' });
    try {
      await server.api('GET', '/artefacts');
      scraped = await (await fetch(`${server.url}/metrics`)).text();
    } finally {
      await server.close();
    }
  });

  test('follow the conventions of Prometheus', () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: scraped,
      encoding: 'utf8',
    });
    assert.deepEqual([status, stdout, stderr], [0, '', '']);
  });

  test('include all that the alerts, the dashboard and the guide name', () => {
    const existing = new Set([...scraped.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name));
    const named = metricsIn([...expressions, read('docs/guides/operations.md').replaceAll('`process_…`', '')]);
    assert.ok(named.size > 30);
    assert.deepEqual(
      [...named].filter((name) => !existing.has(name)),
      [],
    );
  });

  test('are all described by the guide', () => {
    const described = metricsIn([read('docs/guides/operations.md')]);
    const own = [...scraped.matchAll(/^# TYPE (berth_\w+)/gm)].map(([, name = '']) => name);
    assert.deepEqual(
      own.filter((name) => !described.has(name)),
      [],
    );
  });

  test('of the whole instance say so', () => {
    const table = read('docs/guides/operations.md').matchAll(/^\| (`berth_.*`) \| (replica|instance) \|/gm);
    for (const [, names = '', scope] of table)
      for (const [, name = ''] of names.matchAll(/`(\w+)`/g)) {
        const [, help = ''] = new RegExp(`^# HELP ${name} (.*)$`, 'm').exec(scraped) ?? [];
        assert.equal(help.includes('use max'), scope === 'instance', name);
      }
  });
});

describe('deploy/prometheus', () => {
  test('is valid', () => {
    promtool('check', 'rules', join(repositoryRoot, ALERTS));
  });

  test('its alerts fire when they should, and only then', () => {
    promtool('test', 'rules', join(repositoryRoot, 'deploy/prometheus/alerts.test.yaml'));
    const tests = (parse(read('deploy/prometheus/alerts.test.yaml')) as { tests: { name: string }[] }).tests;
    assert.deepEqual(
      tests.map(({ name }) => name),
      rules.flatMap(({ alert }) => [`${alert} fires`, `${alert} stays quiet`]),
    );
  });

  test('each alert has a section in the guide, and the other way round', () => {
    const [, section = ''] = /^## Alerts$(.*)/ms.exec(read('docs/guides/operations.md')) ?? [];
    const headings = [...section.matchAll(/^### (.*)$/gm)].map(([, heading]) => heading);
    assert.deepEqual(
      headings,
      rules.map(({ alert }) => alert),
    );
    for (const { alert, annotations } of rules)
      assert.equal(annotations.runbook_url, `docs/guides/operations.md#${alert.toLowerCase()}`);
  });
});

describe('deploy/grafana/berth.json', () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-dashboard-'));
  after(() => {
    rmSync(directory, { recursive: true });
  });

  test('its expressions are valid', () => {
    const recording = targets.map(({ expr }, index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
    }));
    assert.ok(recording.length > 30);
    assert.ok(recording.every(({ expr }) => !expr.includes('$')));
    // JSON is YAML.
    const file = join(directory, 'rules.yaml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules: recording }] }));
    promtool('check', 'rules', file);
  });

  test('every panel has its place, and asks the chosen data source', () => {
    const { panels, templating } = dashboard;
    assert.equal(templating.list.find(({ type }) => type === 'datasource')?.name, 'datasource');
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    const taken = new Set<string>();
    for (const { type, title, gridPos, datasource, targets: own } of panels) {
      const { x, y, w, h } = gridPos;
      assert.ok(x + w <= COLUMNS, title);
      for (let column = x; column < x + w; column++)
        for (let row = y; row < y + h; row++) {
          assert.ok(!taken.has(`${column},${row}`), title);
          taken.add(`${column},${row}`);
        }
      if (type === 'row') continue;
      assert.deepEqual(datasource, DATA_SOURCE, title);
      assert.ok(own && own.length > 0, title);
      assert.equal(new Set(own.map(({ refId }) => refId)).size, own.length, title);
      for (const target of own) assert.deepEqual(target.datasource, DATA_SOURCE, title);
    }
  });

  test('never adds up what each replica reports of the whole instance', () => {
    const table = read('docs/guides/operations.md').matchAll(/^\| (`berth_.*`) \| instance \|/gm);
    const ofInstance = [...table].flatMap(([, names = '']) => [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name));
    assert.ok(ofInstance.length > 10);
    for (const expr of expressions)
      for (const name of ofInstance)
        if (new RegExp(`\\b${name}\\b`).test(expr)) assert.match(expr, /\bmax(?: by \([\w, ]+\))? ?\(/, expr);
  });
});
