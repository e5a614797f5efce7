// Events of a year for a large audit log: most are uploads by keys; a few kinds, actors and outcomes are rare.

import type { Row } from './catalogue.ts';

/** Per thousand events. */
const ACTIONS: [action: string, targetType: string, share: number][] = [
  ['artefact.upload', 'artefact', 900],
  ['artefact.edit', 'artefact', 60],
  ['session.create', 'session', 25],
  ['artefact.delete', 'artefact', 10],
  ['api-key.create', 'api-key', 3],
  ['user.create', 'user', 1],
  ['storage.sweep', 'storage', 1],
];
const WHEEL = ACTIONS.flatMap((action) => Array.from({ length: action[2] }, () => action));
const ACTORS = 500;
const TARGETS = 20_000;
const YEAR_MS = 365 * 86_400_000;
/** Coprime to the length of the wheel, so that kinds alternate. */
const STEP = 7_919;
const RARE = { setting: 200_003, refused: 5_000, failed: 50_021 };

export const auditColumns = [
  'id',
  'at',
  'actor_kind',
  'actor_id',
  'actor_name',
  'action',
  'target_type',
  'target_id',
  'outcome',
  'ip',
  'request_id',
  'details',
];

export function* auditRows(count: number): Generator<Row> {
  const startMs = Date.now() - YEAR_MS;
  for (let index = 0; index < count; index++) {
    const [action, targetType] = WHEEL[(index * STEP) % WHEEL.length] ?? ['', ''];
    const isSetting = index % RARE.setting === 77;
    const id = index.toString(16).padStart(32, '0');
    yield {
      id: `${id.slice(0, 8)}-${id.slice(8, 12)}-7${id.slice(13, 16)}-8${id.slice(17, 20)}-${id.slice(20)}`,
      at: new Date(startMs + (index * YEAR_MS) / count).toISOString(),
      actor_kind: index % 3 === 0 ? 'user' : 'upload-key',
      actor_id: `actor${index % ACTORS}`,
      actor_name: 'Uma',
      action: isSetting ? 'setting.change' : action,
      target_type: isSetting ? 'setting' : targetType,
      target_id: `@bench/plugin-${(index * 31) % TARGETS}@1`,
      outcome: index % RARE.refused === 13 ? 'refused' : index % RARE.failed === 7 ? 'failed' : 'success',
      ip: '192.0.2.1',
      request_id: id,
      details: '{"architecture":"noarch"}',
    };
  }
}
