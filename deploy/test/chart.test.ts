import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Check } from 'typebox/schema';
import { configReference } from '../../api/src/config/index.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { CHART, chartFile, createRenderer, type Manifest, type Values } from './support/chart.ts';
import { imageEnv, parseDockerfile, valueOf } from './support/dockerfile.ts';

interface Probe {
  httpGet: { path: string; port: string };
  periodSeconds: number;
  failureThreshold: number;
}
interface Pod {
  terminationGracePeriodSeconds: number;
  automountServiceAccountToken: boolean;
  securityContext: object;
  topologySpreadConstraints: { labelSelector: object }[];
  volumes: Record<string, unknown>[];
  containers: {
    image: string;
    envFrom: object[];
    env?: object[];
    ports: { name: string; containerPort: number }[];
    startupProbe: Probe;
    livenessProbe: Probe;
    readinessProbe: Probe;
    securityContext: object;
    resources: object;
    volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
  }[];
}

const PUBLIC_URL = 'https://example.org/registry';
const renderer = createRenderer();
after(() => {
  renderer.close();
});
const stages = parseDockerfile(readFileSync(join(repositoryRoot, 'Dockerfile'), 'utf8'));
const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as object;
const isAllowed = (values: Values) => Check(schema, { ...chartFile('values.yaml'), publicUrl: PUBLIC_URL, ...values });
const render = (values: Values = {}) => renderer.render({ publicUrl: PUBLIC_URL, ...values });
const podOf = ({ Deployment }: Record<string, Manifest>) =>
  (Deployment?.['spec'] as { template: { spec: Pod } }).template.spec;

describe('the chart', () => {
  test('renders two replicas with a service and a disruption budget', () => {
    const { Pod: _, ...manifests } = render({ existingSecret: 'berth-secrets' }).manifests;
    assert.deepEqual(Object.keys(manifests).toSorted(), ['ConfigMap', 'Deployment', 'PodDisruptionBudget', 'Service']);
    assert.equal((manifests['Deployment']?.['spec'] as { replicas: number }).replicas, 2);
    for (const { metadata } of Object.values(manifests)) {
      assert.equal(metadata.name, 'registry-berth');
      assert.equal(
        metadata.labels['app.kubernetes.io/version'],
        (JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as { version: string }).version,
      );
    }
  });

  test('selects its pods by labels that they have', () => {
    const { manifests } = render({ podMonitor: { enabled: true } });
    const spec = (kind: string) =>
      manifests[kind]?.['spec'] as { selector: { matchLabels?: Record<string, string> } & Record<string, string> };
    const { labels } = (
      manifests['Deployment']?.['spec'] as { template: { metadata: { labels: Record<string, string> } } }
    ).template.metadata;
    for (const selector of [
      spec('Deployment').selector.matchLabels,
      spec('Service').selector,
      spec('PodDisruptionBudget').selector.matchLabels,
      ...podOf(manifests).topologySpreadConstraints.map(
        ({ labelSelector }) => (labelSelector as { matchLabels: Record<string, string> }).matchLabels,
      ),
    ]) {
      assert.ok(selector && Object.keys(selector).length === 2);
      for (const [name, value] of Object.entries(selector)) assert.equal(labels[name], value);
    }
    assert.deepEqual(spec('PodMonitor').selector.matchLabels, spec('Deployment').selector.matchLabels);
  });

  test('runs the image as its user, without privileges, on a read-only root', () => {
    const pod = podOf(render().manifests);
    const [container] = pod.containers;
    const [uid = '', gid = ''] = valueOf(stages.at(-1)!, 'USER').split(':');
    assert.deepEqual(pod.securityContext, {
      runAsNonRoot: true,
      runAsUser: Number(uid),
      runAsGroup: Number(gid),
      fsGroup: Number(gid),
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    });
    assert.deepEqual(container?.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    assert.equal(pod.automountServiceAccountToken, false);
    assert.deepEqual(container.volumeMounts, [
      { name: 'data', mountPath: '/data' },
      { name: 'tmp', mountPath: '/tmp' },
    ]);
    assert.deepEqual(pod.volumes, [
      { name: 'data', emptyDir: {} },
      { name: 'tmp', emptyDir: {} },
    ]);
    assert.deepEqual(container.resources, { requests: { cpu: '250m', memory: '256Mi' }, limits: { memory: '1Gi' } });
  });

  test('probes the health routes of Berth, and leaves minutes for migrations', () => {
    const [container] = podOf(render().manifests).containers;
    assert.deepEqual(
      [container?.startupProbe, container?.livenessProbe, container?.readinessProbe].map(
        (probe) => probe?.httpGet.path,
      ),
      ['/api/health/ready', '/api/health/live', '/api/health/ready'],
    );
    assert.ok((container?.startupProbe.periodSeconds ?? 0) * (container?.startupProbe.failureThreshold ?? 0) >= 300);
  });

  test('gives a pod more time to stop than the shutdown grace period', () => {
    const { manifests } = render({ shutdownGraceSeconds: 60 });
    assert.equal((manifests['ConfigMap']?.['data'] as Values)['SHUTDOWN_GRACE_SECONDS'], '60');
    assert.ok(podOf(manifests).terminationGracePeriodSeconds > 60 + 5);
  });

  test('passes settings and secrets to the server, which knows all of them', () => {
    const { manifests } = render({ secret: { API_KEYS_SALT: 's"\'ecret: #1' }, config: { LOG_LEVEL: 'warn' } });
    assert.deepEqual(manifests['Secret']?.['stringData'], { API_KEYS_SALT: 's"\'ecret: #1' });
    assert.deepEqual(podOf(manifests).containers[0]?.envFrom, [
      { configMapRef: { name: 'registry-berth' } },
      { secretRef: { name: 'registry-berth' } },
    ]);
    assert.deepEqual(manifests['ConfigMap']?.['data'], {
      PUBLIC_URL,
      SHUTDOWN_GRACE_SECONDS: '30',
      FILES_STORAGE: 's3',
      TRUSTED_PROXIES: 'loopback,uniquelocal',
      LOG_LEVEL: 'warn',
    });
    const known = new Set(configReference().map(({ name }) => name));
    for (const name of Object.keys(manifests['ConfigMap']?.['data'])) assert.ok(known.has(name), name);
    const { manifests: withExisting } = render({ existingSecret: 'mine', secret: { API_KEYS_SALT: 'x' } });
    assert.deepEqual(
      [withExisting['Secret'], podOf(withExisting).containers[0]?.envFrom[1]],
      [undefined, { secretRef: { name: 'mine' } }],
    );
  });

  test('mounts secrets as files that the server knows, and then sets none of them as a variable', () => {
    const guide = readFileSync(join(repositoryRoot, 'docs/guides/deployment.md'), 'utf8');
    const names = /^secretFiles: \[(.*)\]$/m.exec(guide)?.[1]?.split(', ') ?? [];
    const { containers, volumes } = podOf(render({ existingSecret: 'mine', secretFiles: names }).manifests);
    const { envFrom, env, volumeMounts } = containers[0]!;
    const folder = '/run/secrets/berth';
    assert.deepEqual(envFrom, [{ configMapRef: { name: 'registry-berth' } }]);
    assert.deepEqual(
      env,
      names.map((name) => ({ name: `${name}_FILE`, value: `${folder}/${name}` })),
    );
    assert.deepEqual(volumeMounts.at(-1), { name: 'secrets', mountPath: folder, readOnly: true });
    const items = names.map((name) => ({ key: name, path: name }));
    assert.deepEqual(volumes.at(-1), { name: 'secrets', secret: { secretName: 'mine', defaultMode: 0o440, items } });
    const secrets = configReference().flatMap(({ name, isSecret }) => (isSecret ? [name] : []));
    assert.deepEqual(
      names.filter((name) => !secrets.includes(name)),
      [],
    );
    assert.ok(isAllowed({ secretFiles: names }) && !isAllowed({ secretFiles: ['auth-secret'] }));
  });

  test('restarts the pods when a setting or a secret changes', () => {
    const annotations = (values: Values) =>
      (render(values).manifests['Deployment']?.['spec'] as { template: { metadata: { annotations: Values } } })
        .template.metadata.annotations;
    assert.deepEqual(annotations({}), annotations({}));
    assert.notDeepEqual(annotations({ config: { LOG_LEVEL: 'warn' } }), annotations({}));
    assert.notDeepEqual(annotations({ secret: { A: 'b' } }), annotations({}));
  });

  test('has an ingress for the host and path of publicUrl that neither limits nor buffers uploads', () => {
    const { manifests } = render({
      publicUrl: 'https://example.org:8443/registry',
      ingress: { enabled: true, tlsSecretName: 'tls' },
    });
    const { metadata, spec } = manifests['Ingress'] as Manifest & { spec: unknown };
    assert.deepEqual(spec, {
      ingressClassName: 'nginx',
      tls: [{ hosts: ['example.org'], secretName: 'tls' }],
      rules: [
        {
          host: 'example.org',
          http: {
            paths: [
              {
                path: '/registry',
                pathType: 'Prefix',
                backend: { service: { name: 'registry-berth', port: { name: 'http' } } },
              },
            ],
          },
        },
      ],
    });
    assert.equal(metadata.annotations?.['nginx.ingress.kubernetes.io/proxy-body-size'], '0');
    assert.equal(metadata.annotations['nginx.ingress.kubernetes.io/proxy-request-buffering'], 'off');
    assert.ok(!('nginx.ingress.kubernetes.io/rewrite-target' in metadata.annotations));
    const { spec: atRoot } = render({ publicUrl: 'http://berth.example.org', ingress: { enabled: true } }).manifests[
      'Ingress'
    ] as unknown as { spec: { tls?: object; rules: { http: { paths: { path: string }[] } }[] } };
    assert.deepEqual([atRoot.tls, atRoot.rules[0]?.http.paths[0]?.path], [undefined, '/']);
  });

  test('serves metrics on a separate port of the pods, which neither the service nor the ingress has', () => {
    const { METRICS_PORT } = imageEnv(stages);
    for (const type of ['ClusterIP', 'LoadBalancer']) {
      const { manifests } = render({
        service: { type },
        ingress: { enabled: true },
        podMonitor: { enabled: true, labels: { release: 'prometheus' } },
      });
      assert.deepEqual(podOf(manifests).containers[0]?.ports, [
        { name: 'http', containerPort: 8080 },
        { name: 'metrics', containerPort: Number(METRICS_PORT) },
      ]);
      assert.deepEqual((manifests['Service']?.['spec'] as Values)['ports'], [
        { name: 'http', port: 80, targetPort: 'http' },
      ]);
      assert.doesNotMatch(JSON.stringify(manifests['Ingress']), /metrics|9464/);
      assert.equal((manifests['ConfigMap']?.['data'] as Values)['METRICS_PORT'], undefined);
      assert.deepEqual((manifests['PodMonitor']?.['spec'] as Values)['podMetricsEndpoints'], [
        { port: 'metrics', interval: '30s' },
      ]);
      assert.equal(manifests['PodMonitor']?.metadata.labels['release'], 'prometheus');
    }
  });

  test('stores the data of one replica on a volume, and rejects that for two', () => {
    const { manifests } = render({ replicaCount: 1, persistence: { enabled: true }, config: { FILES_STORAGE: 'fs' } });
    assert.deepEqual(podOf(manifests).volumes[0], {
      name: 'data',
      persistentVolumeClaim: { claimName: 'registry-berth' },
    });
    assert.deepEqual((manifests['Deployment']?.['spec'] as Values)['strategy'], { type: 'Recreate' });
    assert.equal(manifests['PodDisruptionBudget'], undefined);
    assert.deepEqual(manifests['PersistentVolumeClaim']?.['spec'], {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '50Gi' } },
    });
    assert.throws(() => render({ persistence: { enabled: true } }), /persistence supports a single replica/);
  });

  test('prints the address of Berth after an installation', () => {
    const { notes } = render();
    assert.match(notes, /will be available at https:\/\/example\.org\/registry/);
    assert.match(notes, /kubectl --namespace tools port-forward service\/registry-berth 8080:80/);
  });
});

describe('values.schema.json', () => {
  test('accepts the defaults with a publicUrl, which has none', () => {
    assert.ok(isAllowed({}));
    assert.ok(!isAllowed({ publicUrl: '' }));
  });

  test('has every value of values.yaml', () => {
    const { properties } = schema as { properties: object };
    assert.deepEqual(
      Object.keys(chartFile('values.yaml')).filter((name) => !(name in properties)),
      [],
    );
  });

  test('rejects values that Berth or Kubernetes would reject later', () => {
    for (const values of [
      { replicaCount: 0 },
      { replicaCount: '2' },
      { publicUrl: 'example.org' },
      { replicas: 3 },
      { config: { LOG_LEVEL: 3 } },
      { config: { logLevel: 'warn' } },
      { image: { tag: '1' } },
      { persistence: { enabled: true, size: 'large' } },
      { secret: { API_KEYS_SALT: '' } },
      { ingress: { enabled: 'yes' } },
    ])
      assert.ok(!isAllowed(values), JSON.stringify(values));
  });

  test('rejects secrets, and settings that the chart sets itself, in config', () => {
    for (const name of ['DATABASE_URL', 'API_KEYS_SALT', 'AUTH_SECRET', 'PORT', 'METRICS_PORT', 'DATA_DIR'])
      assert.ok(!isAllowed({ config: { [name]: 'x' } }), name);
  });
});
