# A small image with the etcdmark binary and nothing else: it needs a running etcd (--endpoints).
#   docker build -t etcdmark .
#   docker run --rm --network host etcdmark run --endpoints http://127.0.0.1:2379
FROM rust:1-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends protobuf-compiler libprotobuf-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin etcdmark && strip target/release/etcdmark

FROM debian:bookworm-slim
COPY --from=build /src/target/release/etcdmark /usr/local/bin/etcdmark
# Results go to the volume; nothing in here needs root.
RUN useradd --create-home --uid 10001 etcdmark && mkdir /results && chown etcdmark /results
USER etcdmark
WORKDIR /results
VOLUME /results
ENTRYPOINT ["etcdmark"]
CMD ["--help"]
