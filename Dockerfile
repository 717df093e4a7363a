# Both ways of building give the same image:
#   docker build .
#       compiles in the first stage; needs the base image and an npm registry
#   npm run image:context -- FOLDER && docker build -f Dockerfile FOLDER
#       compiled before, on a machine with the dependencies installed; needs nothing but the base image
# The base image has Node 24 or newer and a shell.
ARG BASE=docker.io/library/node:24-bookworm-slim

FROM ${BASE} AS build
WORKDIR /build
COPY . .
# The optional packages are Node itself, which the base image has.
RUN [ -d app ] || { npm ci --omit=optional --ignore-scripts && node scripts/image-context.ts .; }
RUN mkdir data

FROM ${BASE}
LABEL org.opencontainers.image.title="Pinnace" \
      org.opencontainers.image.description="A verifying registry proxy" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /build/app /opt/pinnace
# The only folder it writes to; the rest of the file system can be read-only.
COPY --from=build --chown=65532:65532 /build/data /var/lib/pinnace
ENV NODE_ENV=production \
    PINNACE_READY_URL=http://127.0.0.1:9090/readyz
USER 65532:65532
WORKDIR /opt/pinnace
VOLUME /var/lib/pinnace
EXPOSE 5000 9090
# For an admin listener elsewhere than at 127.0.0.1:9090 set PINNACE_READY_URL.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(process.env.PINNACE_READY_URL).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/opt/pinnace/dist/cli/main.js"]
CMD ["serve", "--config", "/etc/pinnace/pinnace.yaml"]
