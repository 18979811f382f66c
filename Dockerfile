# mile-dist in a container: built with the Swift image, run on plain Debian.
#
#   docker build -t mile-dist .
#   docker run --rm mile-dist                                  the embedded job on one rank
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" mile-dist CONFIG.yaml
#                                                              a configuration of this folder, results beside it
#   docker run --rm --shm-size=1g --entrypoint mpirun mile-dist --oversubscribe -n 2 mile-dist
#
# Ranks of one container talk through /dev/shm, where Docker gives 64 MB unless told otherwise: hence --shm-size.

FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libdnnl-dev libhdf5-dev libopenblas-dev libopenmpi-dev libsentencepiece-dev libzstd-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
# The oldest instruction set to run on: see Package.swift.
ARG MILE_MARCH=x86-64-v3
ENV MILE_MARCH=${MILE_MARCH}
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
# The standard library is linked in, so that the image to run needs no Swift.
RUN swift build -c release --static-swift-stdlib --product mile-dist \
    && install -D --strip .build/release/mile-dist /image/mile-dist

FROM debian:12-slim
# openmpi-bin brings mpirun and ssh, which it starts remote ranks with.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libdnnl2 libgomp1 libhdf5-103-1 libopenblas0-pthread libsentencepiece0 libzstd1 openmpi-bin \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 mile
COPY --from=build /image/mile-dist /usr/local/bin/mile-dist
COPY configs /usr/local/share/mile-dist/configs
RUN install -d -o mile -g mile /work
USER mile
WORKDIR /work
ENTRYPOINT ["mile-dist"]
