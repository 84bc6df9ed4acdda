# One image for Lambda and for ECS. Build it for one platform at a time: Lambda takes no index, and none
# with attestations beside the image.
#
#   docker build --provenance=false --build-arg BASE=public.ecr.aws/lambda/provided:al2023@sha256:… .
#
# BASE is recorded in the label as the base of the image: exact with a digest, a hint with only a tag.
ARG BASE=public.ecr.aws/lambda/provided:al2023
ARG RUST=public.ecr.aws/docker/library/rust:1.95-bookworm

FROM ${RUST} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src ./src
COPY config ./config
COPY docs/verdicts.md ./docs/verdicts.md
COPY benches ./benches
COPY scripts/glibc ./scripts/glibc
# Without SSO profiles: tasks and functions get their credentials from their role.
# Debian 12 has a newer glibc than BASE; that nothing of it is used is checked here, not at the first start.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --no-default-features --bin basewatch \
    && scripts/glibc target/release/basewatch \
    && install -D -m 0755 target/release/basewatch /out/basewatch

FROM ${BASE}
ARG BASE
ARG VERSION=0.1.0
ARG REVISION=unknown
COPY --from=build /out/basewatch /usr/local/bin/basewatch
# Inherited labels would describe the base: every one that it may carry is set here. The key of the first
# is a convention older than this project, and no reverse domain name.
# hadolint ignore=DL3048
LABEL sdkBaseVersion="${BASE}" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.title="basewatch" \
      org.opencontainers.image.description="Finds container images on AWS that are built on outdated base images, and says what to do about each one" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/basewatch/basewatch" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The catalog goes to the cache folder; /tmp is all that Lambda lets a function write.
ENV XDG_CACHE_HOME=/tmp
# For tasks; Lambda runs functions as a user of its own whatever is said here.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/basewatch"]
