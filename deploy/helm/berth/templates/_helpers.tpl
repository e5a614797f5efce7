{{- define "berth.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "berth.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "berth.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "berth.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "berth.selector" -}}
app.kubernetes.io/name: {{ include "berth.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "berth.labels" -}}
{{ include "berth.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "berth.secretName" -}}
{{- if .Values.existingSecret -}}
{{- .Values.existingSecret -}}
{{- else -}}
{{- include "berth.fullname" . -}}
{{- end -}}
{{- end -}}

{{- define "berth.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "berth.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "berth.dataClaim" -}}
{{- default (include "berth.fullname" .) .Values.persistence.existingClaim -}}
{{- end -}}

{{- define "berth.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Fails for values that Berth cannot run with. */}}
{{- define "berth.validate" -}}
{{- $several := or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) -}}
{{- if and .Values.persistence.enabled $several -}}
{{- fail (print "persistence supports a single replica: set replicaCount to 1 and disable autoscaling, "
  "or use PostgreSQL and S3") -}}
{{- end -}}
{{- if and $several (ne (default "fs" .Values.config.FILES_STORAGE) "s3") -}}
{{- fail (print "several replicas need a storage that they share: set config.FILES_STORAGE to s3, "
  "or replicaCount to 1 without autoscaling") -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (not .Values.existingSecret) (not .Values.secret.DATABASE_URL) -}}
{{- fail "autoscaling needs PostgreSQL: set DATABASE_URL in secret, or in the Secret that existingSecret names" -}}
{{- end -}}
{{- $scaling := .Values.autoscaling -}}
{{- if and $scaling.enabled (lt (int $scaling.maxReplicas) (int $scaling.minReplicas)) -}}
{{- fail "autoscaling.maxReplicas must not be less than autoscaling.minReplicas" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute needs the Gateway that serves it: set httpRoute.parentRefs" -}}
{{- end -}}
{{- if and .Values.caCertificates.configMap .Values.caCertificates.secret -}}
{{- fail "caCertificates are in a ConfigMap or in a Secret: set only one of configMap and secret" -}}
{{- end -}}
{{- end -}}

{{/* Environment of the server and of commands that work on its data. */}}
{{- define "berth.environment" -}}
envFrom:
  - configMapRef:
      name: {{ include "berth.fullname" . }}
  {{- if and (or .Values.existingSecret .Values.secret) (not .Values.secretFiles) }}
  - secretRef:
      name: {{ include "berth.secretName" . }}
  {{- end }}
  {{- with .Values.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $ca := or .Values.caCertificates.configMap .Values.caCertificates.secret }}
{{- if or .Values.secretFiles .Values.extraEnv $ca }}
env:
  {{- range .Values.secretFiles }}
  - name: {{ . }}_FILE
    value: /run/secrets/berth/{{ . }}
  {{- end }}
  {{- if $ca }}
  - name: NODE_EXTRA_CA_CERTS
    value: /etc/berth/ca/{{ .Values.caCertificates.key }}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "berth.volumeMounts" -}}
- name: data
  mountPath: /data
- name: tmp
  mountPath: /tmp
{{- if .Values.secretFiles }}
- name: secrets
  mountPath: /run/secrets/berth
  readOnly: true
{{- end }}
{{- if or .Values.caCertificates.configMap .Values.caCertificates.secret }}
- name: ca
  mountPath: /etc/berth/ca
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "berth.volumes" -}}
- name: data
  {{- if .Values.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ include "berth.dataClaim" . }}
  {{- else }}
  emptyDir: {}
  {{- end }}
- name: tmp
  emptyDir: {}
{{- with .Values.secretFiles }}
- name: secrets
  secret:
    secretName: {{ include "berth.secretName" $ }}
    # 0440; versions of YAML read octal numbers differently.
    defaultMode: 288
    items:
      {{- range . }}
      - key: {{ . }}
        path: {{ . }}
      {{- end }}
{{- end }}
{{- with .Values.caCertificates.configMap }}
- name: ca
  configMap:
    name: {{ . }}
{{- end }}
{{- with .Values.caCertificates.secret }}
- name: ca
  secret:
    secretName: {{ . }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What all pods have in common. */}}
{{- define "berth.podSettings" -}}
{{- with include "berth.serviceAccountName" . }}
serviceAccountName: {{ . }}
{{- end }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "berth.path" -}}
{{- $path := (urlParse .Values.publicUrl).path -}}
{{- default "/" $path -}}
{{- end -}}

{{- define "berth.host" -}}
{{- (urlParse .Values.publicUrl).host | regexFind "^[^:]+" -}}
{{- end -}}
