#!/bin/sh
# The steps that make an image, for the Dockerfile and apptainer.def alike: Debian 12, as root.

set -eu

packages() {
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
    rm -rf /var/lib/apt/lists/*
}

case "${1:-}" in
    build-packages) # what building needs beside Swift
        packages binutils libdnnl-dev libhdf5-dev libicu-dev libopenblas-dev libopenmpi-dev libpcre2-dev libsentencepiece-dev \
            libssl-dev libzstd-dev pkg-config zlib1g-dev
        ;;
    build) # from the sources of the working directory: /image/mile-dist
        # The standard library is linked in, so that the image to run needs no Swift.
        swift build -c release --static-swift-stdlib --product mile-dist
        install -D --strip .build/release/mile-dist /image/mile-dist
        ;;
    run-packages) # what running needs: openmpi-bin brings mpirun and ssh; procps has pkill, for kubernetes.yaml
        packages libdnnl2 libgomp1 libhdf5-103-1 libicu72 libopenblas0-pthread libpcre2-8-0 libsentencepiece0 libssl3 libzstd1 \
            openmpi-bin openssh-client openssh-server procps zlib1g
        # The package makes host keys, which all containers of an image would share.
        rm -f /etc/ssh/ssh_host_*
        ;;
    user) # the user that containers run as, who may also be a worker of an MPIJob: sshd without root, on port 2222
        useradd --create-home --uid 1000 --shell /bin/bash mile
        install -d -o mile -g mile /work
        # Kubeflow mounts the job's own keys over ~/.ssh, where they belong to root, and gives hosts new addresses at any time.
        cat >/home/mile/.sshd_config <<'END'
Port 2222
HostKey /home/mile/.ssh/id_rsa
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
END
        cat >/etc/ssh/ssh_config.d/mile-dist.conf <<'END'
Host *
    Port 2222
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
END
        ;;
    *)
        echo "usage: $0 build-packages|build|run-packages|user" >&2
        exit 2
        ;;
esac
