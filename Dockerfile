# The image of tracegate: one binary on a plain Debian, as nobody, for a read-only root file system.
FROM rust:1.95-bookworm AS build
# The toolchain of the image, whatever name rust-toolchain.toml asks for.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY .cargo ./.cargo
COPY src ./src
# What the binary embeds: the demo's traces and policies.
COPY localstack/seed ./localstack/seed
COPY policies ./policies
RUN cargo build --locked --release --bin tracegate

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && install --directory --owner 65532 --group 65532 --mode 0700 /var/lib/tracegate
COPY --from=build /src/target/release/tracegate /usr/local/bin/tracegate
USER 65532:65532
VOLUME /var/lib/tracegate
EXPOSE 9000 9443
ENTRYPOINT ["tracegate"]
