// Values of the chart that its tests set.

import type { Values } from './chart.ts';

/** A single replica with SQLite and files. */
export const ONE = { replicaCount: 1, persistence: { enabled: true }, config: { FILES_STORAGE: 'fs' } };
/** Leaves the choice of users to the cluster. */
export const OPENSHIFT = { podSecurityContext: { runAsUser: null, runAsGroup: null, fsGroup: null } };
export const DIGEST = `sha256:${'0a'.repeat(32)}`;
/** Every optional part, together where that is possible. */
export const EVERYTHING: Values = {
  existingSecret: 'mine',
  secretFiles: ['AUTH_SECRET'],
  image: { digest: DIGEST },
  imagePullSecrets: [{ name: 'images' }],
  caCertificates: { configMap: 'authorities' },
  extraEnv: [
    { name: 'TZ', value: 'Europe/Paris' },
    { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
  ],
  extraEnvFrom: [{ configMapRef: { name: 'more', optional: true } }],
  extraVolumes: [{ name: 'more', configMap: { name: 'more' } }],
  extraVolumeMounts: [{ name: 'more', mountPath: '/more', readOnly: true }],
  ingress: { enabled: true, tlsSecretName: 'tls' },
  httpRoute: { enabled: true, parentRefs: [{ name: 'public', namespace: 'gateways' }], annotations: { a: 'b' } },
  networkPolicy: {
    enabled: true,
    from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress' } } }],
    metricsFrom: [{ podSelector: { matchLabels: { app: 'prometheus' } } }],
    egress: [{ ports: [{ port: 443 }] }],
  },
  autoscaling: { enabled: true },
  backup: { enabled: true, arguments: ['--quiet', '--verify'], storageClass: 'slow' },
  serviceAccount: {
    create: true,
    annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::123456789012:role/berth' },
  },
  podMonitor: { enabled: true, labels: { release: 'prometheus' } },
  prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
  priorityClassName: 'important',
  hostAliases: [{ ip: '10.0.0.7', hostnames: ['s3.example.org'] }],
  podAnnotations: { c: 'd' },
  podLabels: { e: 'f' },
  nodeSelector: { disk: 'fast' },
  tolerations: [{ key: 'dedicated', operator: 'Exists' }],
  affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
  startupProbe: { failureThreshold: 1800 },
  service: { type: 'LoadBalancer', annotations: { g: 'h' } },
};
