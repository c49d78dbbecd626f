# SPDX-License-Identifier: Apache-2.0

# One image for each process of the fleet, from the static binaries that `make images`
# puts into bin/. There is nothing in them but the program, the data folder of whoever
# runs it, and otelplat, whose `probe` is the health check of a container that has no
# shell.

FROM scratch AS base
COPY bin/otelplat /otelplat
# An empty folder, so that a volume that is mounted there belongs to the user.
COPY --chown=65532:65532 bin/empty /data
USER 65532:65532

FROM base AS otelplat
ENTRYPOINT ["/otelplat"]

FROM base AS etcd
COPY bin/etcd /etcd
ENTRYPOINT ["/etcd"]

FROM base AS nats
COPY bin/nats-server /nats-server
COPY deploy/nats.conf /nats.conf
ENTRYPOINT ["/nats-server", "--config", "/nats.conf"]

FROM base AS collector
COPY bin/otelplat-collector /otelplat-collector
ENTRYPOINT ["/otelplat-collector"]

FROM base AS shop
COPY bin/shop /shop
ENTRYPOINT ["/shop"]
