// What the chart renders for the values that an operator may set: Kubernetes accepts it, and each has its effect.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Check } from 'typebox/schema';
import { configReference } from '../../api/src/config/index.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { CHART, chartFile, createRenderer, merged, type Manifest, type Values } from './support/chart.ts';
import { DIGEST, EVERYTHING, ONE, OPENSHIFT } from './support/chart-values.ts';
import { checkManifests } from './support/kubernetes.ts';

const PUBLIC_URL = 'https://example.org/registry';
const renderer = createRenderer();
after(() => {
  renderer.close();
});
const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Values;
const render = (values: Values = {}) => {
  assert.ok(Check(schema, merged(chartFile('values.yaml'), { publicUrl: PUBLIC_URL, ...values })));
  return renderer.render({ publicUrl: PUBLIC_URL, ...values });
};
/** The field of a path such as `spec.containers.0.env`. */
const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce((fields, name) => (fields as Values | undefined)?.[name], value);
const listAt = (value: unknown, path: string) => at(value, path) as unknown[];
const specOf = (values: Values, kind: string) => render(values).manifests[kind]?.['spec'];
const podOf = (values: Values) => at(specOf(values, 'Deployment'), 'template.spec');
const containerOf = (values: Values) => at(podOf(values), 'containers.0');

test('Kubernetes knows every field of what the chart renders, and accepts its value', async () => {
  const variants = [
    {},
    ONE,
    { ...ONE, backup: { enabled: true }, caCertificates: { secret: 'ca' } },
    EVERYTHING,
    OPENSHIFT,
  ];
  const all = variants.flatMap((values) => render({ secret: { AUTH_SECRET: 'x' }, ...values }).all);
  assert.deepEqual([...new Set(all.map(({ kind }) => kind))].sort(), [
    'ConfigMap',
    'CronJob',
    'Deployment',
    'HTTPRoute',
    'HorizontalPodAutoscaler',
    'Ingress',
    'NetworkPolicy',
    'PersistentVolumeClaim',
    'Pod',
    'PodDisruptionBudget',
    'PodMonitor',
    'PrometheusRule',
    'Secret',
    'Service',
    'ServiceAccount',
  ]);
  await checkManifests(all);
  for (const mistake of [{ fieldd: 1 }, { replicas: 'two' }]) {
    const wrong = structuredClone(render().manifests['Deployment']!);
    Object.assign(wrong['spec'] as object, mistake);
    await assert.rejects(checkManifests([wrong]), new RegExp(Object.keys(mistake).join('')));
  }
});

describe('a value of the chart', () => {
  test('extraEnv, extraEnvFrom, extraVolumes and extraVolumeMounts come after those of the chart', () => {
    const { extraEnv, extraEnvFrom, extraVolumes, extraVolumeMounts } = EVERYTHING;
    const container = containerOf(EVERYTHING);
    assert.deepEqual(listAt(container, 'env').slice(-2), extraEnv);
    assert.deepEqual(listAt(container, 'envFrom').slice(-1), extraEnvFrom);
    assert.deepEqual(listAt(podOf(EVERYTHING), 'volumes').slice(-1), extraVolumes);
    assert.deepEqual(listAt(container, 'volumeMounts').slice(-1), extraVolumeMounts);
  });

  test('caCertificates names a mounted file that Node trusts', () => {
    for (const [values, volume] of [
      [{ configMap: 'authorities' }, { configMap: { name: 'authorities' } }],
      [{ secret: 'authorities', key: 'ca.pem' }, { secret: { secretName: 'authorities' } }],
    ] as const) {
      const caCertificates = { key: 'ca.crt', ...values };
      const path = `/etc/berth/ca/${caCertificates.key}`;
      assert.deepEqual(at(containerOf({ caCertificates }), 'env'), [{ name: 'NODE_EXTRA_CA_CERTS', value: path }]);
      assert.deepEqual(listAt(podOf({ caCertificates }), 'volumes').at(-1), { name: 'ca', ...volume });
      assert.deepEqual(listAt(containerOf({ caCertificates }), 'volumeMounts').at(-1), {
        name: 'ca',
        mountPath: '/etc/berth/ca',
        readOnly: true,
      });
    }
    assert.ok(configReference().some(({ name }) => name === 'NODE_EXTRA_CA_CERTS'));
  });

  test('podSecurityContext and securityContext lose what is null, as OpenShift needs it', () => {
    assert.deepEqual(at(podOf(OPENSHIFT), 'securityContext'), {
      runAsNonRoot: true,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    });
    assert.equal(at(podOf({ podSecurityContext: null }), 'securityContext'), undefined);
    assert.equal(at(containerOf({ securityContext: null }), 'securityContext'), undefined);
  });

  test('serviceAccount creates an account with annotations, and every pod uses it', () => {
    const { all, manifests } = render(EVERYTHING);
    assert.deepEqual(manifests['ServiceAccount']?.metadata.annotations, {
      'eks.amazonaws.com/role-arn': 'arn:aws:iam::123456789012:role/berth',
    });
    const pods = podSpecs(all);
    assert.equal(pods.length, 3);
    for (const pod of pods) assert.equal(at(pod, 'serviceAccountName'), 'registry-berth');
    assert.equal(at(podOf({ serviceAccount: { name: 'existing' } }), 'serviceAccountName'), 'existing');
    assert.equal(at(podOf({}), 'serviceAccountName'), undefined);
  });

  test('image.digest replaces the tag', () => {
    assert.equal(at(containerOf({ image: { digest: DIGEST, tag: '1' } }), 'image'), `berth@${DIGEST}`);
  });

  test('persistence.existingClaim is mounted, and no other is created', () => {
    const { manifests } = render({ ...ONE, persistence: { enabled: true, existingClaim: 'mine' } });
    assert.equal(manifests['PersistentVolumeClaim'], undefined);
    assert.deepEqual(at(manifests['Deployment'], 'spec.template.spec.volumes.0'), {
      name: 'data',
      persistentVolumeClaim: { claimName: 'mine' },
    });
  });

  test('startupProbe, livenessProbe and readinessProbe change the limits of the probes only', () => {
    const container = containerOf({ startupProbe: { failureThreshold: 1800 } });
    const httpGet = { path: '/api/health/ready', port: 'http' };
    assert.deepEqual(at(container, 'startupProbe'), {
      httpGet,
      periodSeconds: 2,
      timeoutSeconds: 5,
      failureThreshold: 1800,
    });
    assert.equal(at(container, 'livenessProbe.failureThreshold'), 6);
  });

  test('networkPolicy admits requests from everybody or its peers, and to the metrics only from its peers', () => {
    const toHttp = [{ ports: [{ port: 'http' }] }];
    assert.deepEqual(specOf({ networkPolicy: { enabled: true } }, 'NetworkPolicy'), {
      podSelector: at(specOf({}, 'Deployment'), 'selector'),
      policyTypes: ['Ingress'],
      ingress: toHttp,
    });
    const { from, metricsFrom, egress } = EVERYTHING['networkPolicy'] as Values;
    const policy = specOf(EVERYTHING, 'NetworkPolicy');
    assert.deepEqual([at(policy, 'policyTypes'), at(policy, 'egress')], [['Ingress', 'Egress'], egress]);
    assert.deepEqual(at(policy, 'ingress'), [
      { ports: [{ port: 'http' }], from },
      { ports: [{ port: 'metrics' }], from: metricsFrom },
    ]);
  });

  test('autoscaling owns the number of replicas, and keeps the disruption budget', () => {
    const values = { autoscaling: { enabled: true }, replicaCount: 1, secret: { DATABASE_URL: 'postgres://x@y/z' } };
    assert.equal(at(specOf(values, 'Deployment'), 'replicas'), undefined);
    assert.deepEqual(at(specOf(values, 'HorizontalPodAutoscaler'), 'scaleTargetRef'), {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      name: 'registry-berth',
    });
    assert.ok(specOf(values, 'PodDisruptionBudget'));
  });

  test('httpRoute forwards the path of publicUrl without a time limit', () => {
    const { hostnames, parentRefs, rules } = specOf(EVERYTHING, 'HTTPRoute') as Values;
    assert.deepEqual([hostnames, parentRefs], [['example.org'], [{ name: 'public', namespace: 'gateways' }]]);
    assert.deepEqual(rules, [
      {
        matches: [{ path: { type: 'PathPrefix', value: '/registry' } }],
        timeouts: { request: '0s' },
        backendRefs: [{ name: 'registry-berth', port: 80 }],
      },
    ]);
  });

  test('scrapeAnnotations name the metrics port, unless there is a podMonitor', () => {
    const annotations = (values: Values) =>
      at(specOf(values, 'Deployment'), 'template.metadata.annotations') as Values;
    assert.equal(annotations({})['prometheus.io/port'], '9464');
    for (const values of [{ scrapeAnnotations: false }, { podMonitor: { enabled: true } }])
      assert.equal(annotations(values)['prometheus.io/scrape'], undefined);
  });

  test('prometheusRule has the alerts of deploy/prometheus', () => {
    const alerts = readFileSync(join(repositoryRoot, 'deploy/prometheus/alerts.yaml'), 'utf8');
    const copy = readFileSync(join(CHART, 'files/alerts.yaml'), 'utf8');
    assert.ok(copy === alerts, 'copy deploy/prometheus/alerts.yaml to deploy/helm/berth/files');
    const groups = JSON.stringify(at(specOf(EVERYTHING, 'PrometheusRule'), 'groups'));
    for (const [, name] of alerts.matchAll(/alert: (\w+)/g)) assert.match(groups, new RegExp(`"${name}"`));
  });

  test('backup runs the command with the settings and volumes of the server, where its volume is', () => {
    const values = { ...ONE, backup: { enabled: true } };
    const { all, manifests } = render(values);
    const job = manifests['CronJob']?.['spec'];
    const pod = at(job, 'jobTemplate.spec.template.spec');
    const container = at(pod, 'containers.0');
    assert.equal(at(job, 'schedule'), '0 3 * * *');
    assert.deepEqual(at(container, 'command'), ['berth', 'backup', '/backup/berth']);
    assert.deepEqual(at(container, 'args'), ['--quiet']);
    assert.deepEqual(at(container, 'envFrom'), at(containerOf(values), 'envFrom'));
    assert.deepEqual(listAt(pod, 'volumes').slice(1), at(podOf(values), 'volumes'));
    const claims = all.filter(({ kind }) => kind === 'PersistentVolumeClaim').map(({ metadata }) => metadata.name);
    assert.deepEqual(claims, ['registry-berth-backup', 'registry-berth']);
    assert.equal(
      at(pod, 'affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution.0.topologyKey'),
      'kubernetes.io/hostname',
    );
    const labels = at(job, 'jobTemplate.spec.template.metadata.labels') as Values;
    assert.notEqual(labels['app.kubernetes.io/name'], 'berth', 'the service selects it');
  });

  test('of every other pod has its effect there as well', () => {
    for (const pod of podSpecs(render(EVERYTHING).all)) {
      for (const name of ['priorityClassName', 'hostAliases', 'nodeSelector', 'tolerations'])
        assert.deepEqual(at(pod, name), EVERYTHING[name]);
      assert.equal(at(pod, 'automountServiceAccountToken'), false);
      assert.equal(at(pod, 'containers.0.image'), `berth@${DIGEST}`);
    }
  });
});

test('values that Berth cannot run with are refused in a sentence', () => {
  const needsS3 = /several replicas need a storage that they share: set config\.FILES_STORAGE to s3/;
  for (const [values, message] of [
    [{ config: { FILES_STORAGE: 'fs' } }, needsS3],
    [{ ...ONE, persistence: {}, autoscaling: { enabled: true } }, needsS3],
    [{ ...ONE, autoscaling: { enabled: true } }, /persistence supports a single replica: .* disable autoscaling/],
    [{ autoscaling: { enabled: true } }, /autoscaling needs PostgreSQL: set DATABASE_URL/],
    [{ existingSecret: 'x', autoscaling: { enabled: true, maxReplicas: 1 } }, /maxReplicas must not be less than/],
    [{ httpRoute: { enabled: true } }, /httpRoute needs the Gateway that serves it/],
    [{ caCertificates: { configMap: 'a', secret: 'b' } }, /set only one of configMap and secret/],
  ] as [Values, RegExp][])
    assert.throws(() => render(values), message);
});

test('helm test asks the service whether its pods are ready', () => {
  const pod = render().manifests['Pod'];
  assert.equal(pod?.metadata.annotations?.['helm.sh/hook'], 'test');
  const [node, option, script = ''] = at(pod, 'spec.containers.0.command') as string[];
  assert.deepEqual([node, option], ['node', '--eval']);
  assert.match(script, /^fetch\('http:\/\/registry-berth:80\/api\/health\/ready', \{/);
  assert.equal(spawnSync(process.execPath, ['--check', '-'], { input: script }).status, 0);
});

test('the notes show the log of every replica, whichever has printed the password', () => {
  const { notes } = render();
  const selector = 'app\\.kubernetes\\.io/name=berth,app\\.kubernetes\\.io/instance=registry';
  assert.match(notes, new RegExp(`logs --selector ${selector} --prefix --tail=-1 \\| grep 'Sign in as'`));
  assert.doesNotMatch(notes, /logs deployment/);
});

test('the schema has every value, at every depth', () => {
  const assertKnown = (values: Values, { properties }: Values, path: string): void => {
    for (const [name, value] of Object.entries(values)) {
      const known = (properties as Record<string, Values>)[name];
      assert.ok(known, `${path}${name}`);
      if (known['properties']) assertKnown(value as Values, known, `${path}${name}.`);
    }
  };
  assertKnown(chartFile('values.yaml'), schema, '');
  const proxies = ['HTTP_PROXY', 'HTTPS_PROXY'];
  for (const { name, isSecret } of configReference())
    if (isSecret && !proxies.includes(name))
      assert.throws(() => render({ config: { [name]: 'x' } }), `${name} is a secret, and may not be in config`);
});

function podSpecs(manifests: readonly Manifest[]): unknown[] {
  const paths: Record<string, string> = {
    Pod: 'spec',
    Deployment: 'spec.template.spec',
    CronJob: 'spec.jobTemplate.spec.template.spec',
  };
  return manifests.flatMap((manifest) => {
    const path = paths[manifest.kind];
    return path === undefined ? [] : [at(manifest, path)];
  });
}
