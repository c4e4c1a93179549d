# SPDX-License-Identifier: Apache-2.0
# geckotape alone, without PostgreSQL: docker build -t geckotape . && docker run --rm geckotape --help
# Needs nothing of BuildKit. What the compose file makes of it: docs/containers.md

FROM debian:bookworm-slim AS build
WORKDIR /src
# one list of packages, and a layer that only a change of that list makes anew
COPY tools/deps.sh tools/
RUN tools/deps.sh build
COPY . .
RUN meson setup build && ninja -C build --quiet geckotape && strip -o /geckotape build/geckotape

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="geckotape" \
      org.opencontainers.image.description="Keeps the tape of the crypto market" \
      org.opencontainers.image.licenses="Apache-2.0"
# the libraries that the program names itself (a test compares), and whom TLS trusts; of no fixed version, so that mended ones come
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ca-certificates libcurl4 libmicrohttpd12 libmosquitto1 libgnutls30 libexpat1 libpq5 libsimdjson14 \
        libsqlite3-0 libstdc++6 libxxhash0 libyaml-0-2 libzstd1 zlib1g \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
    && groupadd --system --gid 10001 geckotape \
    && useradd --system --uid 10001 --gid 10001 --home-dir /app --shell /usr/sbin/nologin geckotape \
    && install -d -o geckotape -g geckotape /app/data /app/logs
COPY deploy/container-init.sh /usr/local/libexec/geckotape-init
COPY --from=build /geckotape /usr/local/bin/
WORKDIR /app
# by number: who forbids root must be able to tell
USER 10001:10001
# what publishes the port decides who can read
ENV GECKOTAPE_LISTEN=0.0.0.0:8080 GECKOTAPE_HTTP_OPEN=true
EXPOSE 8080
VOLUME ["/app/data", "/app/logs"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["geckotape", "status", "--healthcheck"]
ENTRYPOINT ["geckotape"]
CMD ["run"]
