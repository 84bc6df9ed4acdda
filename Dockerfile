# One image for Lambda and ECS. Build it for one platform at a time and without attestations: Lambda does
# not accept an image index.
#
#   docker build --provenance=false --build-arg BASE=public.ecr.aws/lambda/provided:al2023@sha256:… .
#
# BASE is recorded as the base of the image: exactly with a digest, as a hint with only a tag.
ARG BASE=public.ecr.aws/lambda/provided:al2023
ARG RUST=public.ecr.aws/docker/library/rust:1.95-bookworm

FROM ${RUST} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock askama.toml ./
COPY src ./src
COPY config ./config
COPY docs/verdicts.md ./docs/verdicts.md
COPY benches ./benches
# A member of the workspace: only its manifest is read.
COPY testbed/Cargo.toml ./testbed/Cargo.toml
COPY scripts/glibc ./scripts/glibc
# Without SSO profiles: tasks and functions use the credentials of their role.
# Debian 12 has a newer glibc than BASE; scripts/glibc fails if the binary needs it.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --no-default-features --features otlp --bin basewatch \
    && scripts/glibc target/release/basewatch \
    && install -D -m 0755 target/release/basewatch /out/basewatch

FROM ${BASE}
ARG BASE
ARG VERSION=0.1.0
ARG REVISION=unknown
COPY --from=build /out/basewatch /usr/local/bin/basewatch
# Labels of the base are inherited, so each one is set here. The key of the first is an existing convention
# that is not a reverse domain name.
# hadolint ignore=DL3048
LABEL sdkBaseVersion="${BASE}" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.title="basewatch" \
      org.opencontainers.image.description="Finds deployed container images on AWS that are built on an outdated base image, and says what to do about each one" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/basewatch/basewatch" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The cache folder for the catalog: Lambda functions can write only to /tmp.
ENV XDG_CACHE_HOME=/tmp
# For tasks; Lambda ignores it and uses its own user.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/basewatch"]
