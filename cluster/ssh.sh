#!/usr/bin/env bash
# Runs a mile-dist command on the nodes of a host file, over ssh, without a batch system.
#
#   cluster/ssh.sh HOSTFILE mile-dist CONFIG.yaml [--set KEY=VALUE]...
#   MPIRUN_OPTIONS="--map-by socket --bind-to socket" cluster/ssh.sh HOSTFILE mile-dist eval CHECKPOINT --data FILE
#
# It starts as many ranks as the host file has slots; hostfile.example says what nodes need. The ranks of a node share its
# cores evenly, which is where `training.threads: 0` finds its number of threads; MPIRUN_OPTIONS, "--bind-to none" unless
# set, can bind them otherwise, or name the network: --mca btl_tcp_if_include 10.0.0.0/24.
#
# `kill -USR1` with this script's pid makes a training save and end with status 75; the same command goes on from there.
# When a node or its network dies, mpirun notices after a minute and ends all ranks, on the lost node as well; by default
# it would wait for a quarter of an hour. The same command, without that node in the host file, goes on from the last
# checkpoint.

set -euo pipefail

if (($# < 2)); then
    echo "usage: $0 HOSTFILE mile-dist CONFIG.yaml [--set KEY=VALUE]..." >&2
    exit 2
fi
hostfile="$1"
shift

# Lustre and NFS often refuse the locks that HDF5 asks for; each checkpoint file has a single writer.
export HDF5_USE_FILE_LOCKING=FALSE
# Seconds of silence before mpirun and its daemons ask whether the other is there, seconds between questions, and how many.
export OMPI_MCA_oob_tcp_keepalive_time="${OMPI_MCA_oob_tcp_keepalive_time:-30}"
export OMPI_MCA_oob_tcp_keepalive_intvl="${OMPI_MCA_oob_tcp_keepalive_intvl:-10}"
export OMPI_MCA_oob_tcp_keepalive_probes="${OMPI_MCA_oob_tcp_keepalive_probes:-3}"

read -r -a options <<<"${MPIRUN_OPTIONS:---bind-to none}"
exec mpirun --hostfile "$hostfile" "${options[@]}" -x HDF5_USE_FILE_LOCKING "$@"
