#!/usr/bin/env bash
# Installs the Debian packages that mile-dist is built and tested with, when they are missing, and checks the Swift compiler.
# Does nothing, and needs no rights, where everything is there. Arguments are further packages that are wanted.

set -euo pipefail

packages=(libopenmpi-dev openmpi-bin libopenblas-dev libdnnl-dev libhdf5-dev libsentencepiece-dev libzstd-dev libssl-dev
    libpcre2-dev libicu-dev zlib1g-dev pkg-config make zstd sentencepiece)
# What root makes clusters of, to test the launch scripts. Others cannot, so those tests skip.
if ((EUID == 0)); then
    packages+=(slurmctld slurmd slurm-client munge openssh-server openssh-client iproute2 procps)
fi
packages+=("$@")
# Services of these packages, which nobody here wants to run.
services=(slurmctld slurmd munge ssh)

fail() {
    printf 'prerequisites: %s\n' "$*" >&2
    exit 1
}

installed() {
    [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null || true)" == installed ]]
}

# Other systems have other package names: what counts there is what the build looks for.
check_without_dpkg() {
    local missing=() library tool
    for tool in mpirun pkg-config make zstd spm_encode; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    if command -v pkg-config >/dev/null; then
        for library in ompi-c openblas hdf5 sentencepiece libzstd zlib libcrypto libpcre2-8 icu-uc; do
            pkg-config --exists "$library" || missing+=("$library (pkg-config)")
        done
    fi
    if ((${#missing[@]} > 0)); then
        fail "missing: ${missing[*]}. This is not a Debian system, so install with its package manager what Debian" \
            "calls: ${packages[*]}"
    fi
}

# Runs the rest of the arguments while Debian is told to start no services.
without_services() {
    local policy=/usr/sbin/policy-rc.d made="" status=0
    if ((EUID == 0)) && [[ ! -e "$policy" ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made=yes
    fi
    # Not even an interrupted installation may leave it behind: no service would start any more.
    if [[ -n "$made" ]]; then trap 'rm -f /usr/sbin/policy-rc.d' EXIT; fi
    "$@" || status=$?
    if [[ -n "$made" ]]; then rm -f "$policy"; fi
    return "$status"
}

install_packages() {
    local package service missing=() elevate=() unwanted=()
    for package in "${packages[@]}"; do
        installed "$package" || missing+=("$package")
    done
    if ((${#missing[@]} == 0)); then
        return
    fi
    if ((EUID != 0)); then
        command -v sudo >/dev/null || fail "no root rights and no sudo to install: ${missing[*]}." \
            "Let an administrator run: apt-get install ${missing[*]}"
        elevate=(sudo)
    fi
    for service in "${services[@]}"; do
        [[ -e "/etc/init.d/$service" ]] || unwanted+=("$service")
    done
    printf 'prerequisites: installing %s\n' "${missing[*]}"
    "${elevate[@]}" apt-get update ||
        fail "apt-get update failed; check the network and /etc/apt/sources.list"
    without_services "${elevate[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "${missing[@]}" ||
        fail "apt-get could not install: ${missing[*]}"
    # Nor at the next start of the machine: those that were not there before.
    for service in "${unwanted[@]}"; do
        if [[ -e "/etc/init.d/$service" ]]; then
            update-rc.d "$service" disable >/dev/null 2>&1 || true
            if command -v systemctl >/dev/null; then systemctl disable "$service" >/dev/null 2>&1 || true; fi
        fi
    done
}

check_swift() {
    local version
    command -v swift >/dev/null || fail "there is no swift on PATH; install Swift 6.2 or later from swift.org"
    version="$(swift --version 2>&1 | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p' | head -n 1)"
    read -r major minor <<<"${version:-0 0}"
    if ((major < 6 || (major == 6 && minor < 2))); then
        fail "Swift $major.$minor is too old; install Swift 6.2 or later from swift.org"
    fi
}

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    install_packages
else
    check_without_dpkg
fi
check_swift
