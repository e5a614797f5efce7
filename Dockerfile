# The image of Berth: the server and the command berth, without anything that only builds or tests them.
# It runs as user 10001 on a read-only root file system; only /data and /tmp are written to. /backup is a place for a
# volume with backups, which Docker then gives to that user.

# The same Node as package.json pins; a test holds them equal.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc tsconfig.base.json ./
COPY api/package.json api/
COPY bench/package.json bench/
COPY cli/package.json cli/
COPY lib-node/package.json lib-node/
COPY ui/package.json ui/
RUN npm ci
COPY LICENSE ./
COPY lib-node/tsconfig.json lib-node/README.md lib-node/
COPY lib-node/src lib-node/src/
COPY cli/tsconfig.json cli/
COPY cli/bin cli/bin/
COPY cli/src cli/src/
COPY scripts/build.ts scripts/build-clients.ts scripts/build-ui.ts scripts/runtime.ts scripts/check-runtime.js scripts/
COPY ui/index.html ui/vite.config.ts ui/tsconfig.json ui/
COPY ui/src ui/src/
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY api/package.json api/
COPY bench/package.json bench/
COPY cli/package.json cli/
COPY lib-node/package.json lib-node/
COPY ui/package.json ui/
# better-auth has parts for Vue, and npm takes Vue along where the web interface has it; nothing here loads it. Node
# loads no TypeScript below node_modules, and no source maps.
RUN npm ci --omit=dev --workspace=api --workspace=cli \
  && rm -rf node_modules/vue node_modules/@vue node_modules/@babel \
    node_modules/typescript node_modules/@typescript node_modules/@types \
  && find node_modules -type f -regex ".*\.\([cm]?ts\|map\)" -delete

FROM ${NODE_IMAGE}
WORKDIR /app
# HOST is every address, so /metrics has a port of its own, which EXPOSE does not name: whoever publishes PORT does not
# publish the metrics.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 METRICS_PORT=9464 DATA_DIR=/data NODE_COMPILE_CACHE=/app/.compile-cache
COPY --from=dependencies /app ./
COPY --from=build /app/lib-node/dist lib-node/dist/
COPY --from=build /app/cli/dist cli/dist/
COPY cli/bin cli/bin/
COPY --from=build /app/ui/dist ui/dist/
COPY --from=build /app/clients/dist clients/dist/
COPY api/index.ts api/server.ts api/
COPY api/src api/src/
# The tar reader, which the server and the library share.
COPY lib-node/src/tar lib-node/src/tar/
RUN install -d -o 10001 -g 10001 -m 700 /data /backup /app/.compile-cache \
  && ln -s /app/cli/bin/berth.js /usr/local/bin/berth
USER 10001:10001
# Starts once, so that later starts find their modules compiled.
COPY deploy/warm-up.js deploy/
RUN ["node", "deploy/warm-up.js"]

ARG BERTH_COMMIT=""
ARG BERTH_DATE=""
ENV BERTH_COMMIT=${BERTH_COMMIT} BERTH_DATE=${BERTH_DATE}
LABEL org.opencontainers.image.title="Berth" \
      org.opencontainers.image.description="An artefact registry for platforms that run plug-ins" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${BERTH_COMMIT}" \
      org.opencontainers.image.created="${BERTH_DATE}"
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/api/health/live`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--max-semi-space-size=2", "--no-parallel-scavenge", "api/server.ts"]
