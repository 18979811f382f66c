# mile-dist in a container: built with the Swift image, run on plain Debian.
#
#   docker build -t mile-dist .
#   docker run --rm mile-dist                                  the embedded job on one rank
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" mile-dist CONFIG.yaml
#                                                              a configuration of this folder, results beside it
#   docker run --rm --shm-size=1g --entrypoint mpirun mile-dist --oversubscribe -n 2 mile-dist
#
# Ranks of one container talk through /dev/shm, where Docker gives 64 MB unless told otherwise: hence --shm-size.
# cluster/kubernetes.yaml runs the image as launcher and workers of a Kubeflow MPIJob.

FROM swift:6.3-bookworm AS build
COPY cluster/image.sh /usr/local/bin/image.sh
RUN image.sh build-packages
WORKDIR /source
# The oldest instruction set to run on: see Package.swift.
ARG MILE_MARCH=x86-64-v3
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
RUN image.sh build

FROM debian:12-slim
COPY cluster/image.sh /usr/local/bin/image.sh
RUN image.sh run-packages && image.sh user && rm /usr/local/bin/image.sh
COPY --from=build /image/mile-dist /usr/local/bin/mile-dist
COPY cluster/ssh.sh /usr/local/share/mile-dist/cluster/ssh.sh
COPY configs /usr/local/share/mile-dist/configs
USER mile
WORKDIR /work
ENTRYPOINT ["mile-dist"]
