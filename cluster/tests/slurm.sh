#!/usr/bin/env bash
# Tests slurm.sbatch with Slurm itself: a cluster of one node, made for the purpose and gone afterwards.
#
#   cluster/tests/slurm.sh          tests .build/release/mile-dist, or the program that MILE_DIST_EXECUTABLE names
#
# A job for each launcher (mpirun, srun --mpi=pmix) trains for longer than its time limit allows, is signalled, saves,
# requeues itself and finishes. Both must end with the bits of a run that nothing disturbed, and not with those of another
# seed. Prints a line for each check: "passed", "failed" or "skipped", a tab, its name and what else is known. The status is
# 0 if none failed. Takes two minutes.

# shellcheck disable=SC2317  # functions that a trap and within() call

set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
program="${MILE_DIST_EXECUTABLE:-$root/.build/release/mile-dist}"

skip() {
    printf 'skipped\tSlurm: %s\n' "$1"
    exit 0
}

((EUID == 0)) || skip "starting its daemons needs rights that are not given here (root)"
for tool in munged slurmctld slurmd sbatch srun scontrol mpirun; do
    command -v "$tool" >/dev/null || skip "there is no $tool; Tests/prerequisites.sh installs it on Debian"
done
[[ -x "$program" ]] || skip "there is no $program; make build makes it"

# Where the kernel allows it, everything runs in name spaces of its own: nothing listens outside, and nothing outlives this
# script, however it ends. Elsewhere (in most containers) the daemons listen on the address of the machine's own name and are
# ended by their pids.
if [[ -z "${MILE_SLURM_ISOLATED:-}" ]]; then
    isolate=(unshare --net --pid --fork --kill-child --mount --mount-proc)
    if "${isolate[@]}" ip link add type veth 2>/dev/null; then
        MILE_SLURM_ISOLATED=yes exec "${isolate[@]}" "${BASH_SOURCE[0]}" "$@"
    fi
elif [[ "$MILE_SLURM_ISOLATED" == yes ]]; then
    ip link set lo up
    # The resolver and Open MPI want an address beyond 127.0.0.0/8.
    ip link add mile0 type veth peer name mile1
    ip address add 192.0.2.1/24 dev mile0
    ip link set mile0 up
    ip link set mile1 up
fi

folder="$(mktemp -d "${TMPDIR:-/tmp}/mile-slurm-XXXXXX")"
failed=0
daemons=()
jobs_submitted=()

finish() {
    local pid
    # Nothing of the logs is left afterwards.
    if ((failed)); then tail -n 25 "$folder"/*.log 2>/dev/null | sed 's/^/    /' >&2 || true; fi
    if ((${#jobs_submitted[@]} > 0)); then scancel --quiet "${jobs_submitted[@]}" 2>/dev/null || true; fi
    # slurmd and slurmctld before munged, which they speak through.
    for pid in "${daemons[@]}"; do
        kill "$pid" 2>/dev/null || continue
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' INT TERM

passed() { printf 'passed\tSlurm: %s\n' "$1"; }

failed() {
    printf 'failed\tSlurm: %s\n' "$1"
    failed=1
}

check() { # name, expected, actual
    if [[ "$2" == "$3" ]]; then passed "$1"; else failed "$1: expected \"$2\", found \"$3\""; fi
}

# Waits up to $1 seconds until the rest of the arguments, a command, succeeds.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.3
    done
}

# Two ports that nothing listens on.
free_ports() {
    local port found=0
    for port in $(shuf -i 20000-29999 -n 100); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            found=$((found + 1))
            ((found < 2)) || return 0
        fi
    done
    return 1
}

write_configuration() {
    local ports cores node address
    mapfile -t ports < <(free_ports)
    # A job takes two cores, whatever the machine has.
    cores="$(nproc)"
    ((cores >= 2)) || cores=2
    node="$(hostname -s)"
    address="$(getent ahostsv4 "$node" | awk 'NR == 1 { print $1 }')"
    cat >"$folder/slurm.conf" <<END
ClusterName=mile
SlurmctldHost=$node(${address:-127.0.0.1})
SlurmctldPort=${ports[0]}
SlurmdPort=${ports[1]}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# A requeued job waits for this long, by default for two minutes.
AuthInfo=socket=$folder/munge.socket,cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1
ReturnToService=2
KillWait=5
NodeName=$node NodeAddr=${address:-127.0.0.1} CPUs=$cores State=UNKNOWN
PartitionName=test Nodes=$node Default=YES OverSubscribe=FORCE:2 State=UP
END
    export SLURM_CONF="$folder/slurm.conf"
}

node_is_idle() { [[ "$(sinfo --noheader --format=%t)" == idle ]]; }

start_slurm() {
    mkdir -p "$folder/state" "$folder/spool"
    # munged speaks through its socket with whoever may reach it.
    chmod 711 "$folder"
    write_configuration
    (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
    munged --foreground --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
        --pid-file="$folder/munge.pid" --log-file=/dev/null --seed-file="$folder/munge.seed" \
        >"$folder/munged.log" 2>&1 &
    daemons=("$!")
    within 10 test -S "$folder/munge.socket" || return 1
    slurmctld -D -i -f "$SLURM_CONF" >/dev/null 2>&1 &
    daemons=("$!" "${daemons[@]}")
    slurmctld_started=$SECONDS
    slurmd -D -f "$SLURM_CONF" >/dev/null 2>&1 &
    daemons=("$!" "${daemons[@]}")
    within 20 node_is_idle
}

write_run() {
    cat >"$folder/run.yaml" <<'END'
model: {hidden_size: 64, intermediate_size: 128, num_hidden_layers: 2, num_attention_heads: 4, vocab_size: 257,
        max_position_embeddings: 64, initializer_range: 0.02}
data:
  tokenizer: bytes
  train:
    - {name: synthetic, path: "synthetic:train"}
  sequence_length: 64
optimizer: {learning_rate: 1.0e-3}
schedule: {warmup_steps: 2, total_steps: 50}
training: {global_batch_size: 8, micro_batch_size: 4, threads: 1, reproducible: true}
checkpoint: {every: 1000000}
logging: {every: 100}
END
}

# Trains alone, on one rank, into the folder $1; the rest are further arguments.
train() {
    local run="$1"
    shift
    "$program" train "$folder/run.yaml" --set "logging.directory=$folder/$run" "$@" >"$folder/$run.log" 2>&1
}

# Steps that take about $1 seconds where one core computes them, from the fastest of a few: what runs beside must not make
# the job too short to be signalled.
steps_for_seconds() {
    train calibration
    sed -n 's/.*"step_seconds": *\([0-9.e-]*\).*/\1/p' "$folder/calibration/metrics.jsonl" | sort -g |
        awk -v seconds="$1" 'NR == 1 { print int(seconds / $1) + 1 }'
}

# One line of hashes for parameters and moments of the newest checkpoint in the folder $1.
bits() {
    "$program" inspect "$folder/$1/checkpoints" --json | sed 's/.*"step":\([0-9]*\),"tensors":/\1 /' |
        sha256sum | cut -d' ' -f1
}

submit() { # launcher; prints the job's number
    MILE_LAUNCHER="$1" MILE_DIST="$program" sbatch --parsable --nodes=1 --ntasks-per-node=2 --cpus-per-task=1 \
        --oversubscribe --time=1 --signal=B:USR1@60 --output="$folder/$1.log" \
        "$root/cluster/slurm.sbatch" "$folder/run.yaml" --set "logging.directory=$folder/$1" \
        --set "schedule.total_steps=$steps"
}

field() { scontrol show job "$1" | tr ' ' '\n' | sed -n "s/^$2=//p"; }

# Lines of the launcher's log that match $1.
count() { grep -c "$1" "$folder/$launcher.log" || true; }

# While a job is requeued, its state is for a moment that of one that has failed.
has_completed() { [[ "$(field "$1" JobState)" == COMPLETED ]]; }

# Root in a container: Open MPI refuses unless told.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

if ! start_slurm; then
    failed "munged, slurmctld and slurmd start"
    exit 1
fi
passed "munged, slurmctld and slurmd start; the node is idle"

# Slurm looks at time limits twice a minute, counted from its start, and sends the signal at the first look of a job that
# may have no more than 30 s beyond the warning: with these options, the first of all. So the jobs start ten seconds before
# one, and are long enough to be in the middle then.
write_run
steps="$(steps_for_seconds 25)"
phase=$(((SECONDS - slurmctld_started) % 30))
sleep $(((50 - phase) % 30))
for launcher in mpirun srun; do
    jobs_submitted+=("$(submit "$launcher")")
done
jobs_end=$((SECONDS + 150))
echo "$steps steps; jobs ${jobs_submitted[*]}"

for index in 0 1; do
    launcher="$(sed -n "$((index + 1))p" <<<$'mpirun\nsrun')"
    job="${jobs_submitted[index]}"
    within $((jobs_end - SECONDS)) has_completed "$job" || true
    # Where the machine is busy, the second start is still in the middle when Slurm looks again, and is signalled as well.
    restarts="$(field "$job" Restarts)"
    check "$launcher: the job requeued itself (at least once) and completed" "COMPLETED yes 0:0" \
        "$(field "$job" JobState) $( ((restarts > 0)) && echo yes) $(field "$job" ExitCode)"
    check "$launcher: before, the ranks saved on the signal that comes before the time limit, and ended with 75" "$restarts" \
        "$(count "stopped early with everything saved; requeueing job $job")"
    check "$launcher: each later start resumed" "$restarts" "$(count "^continuing from")"
    check "$launcher: two ranks trained in each" "$((restarts + 1))" "$(count ", 2 ranks x 1 thread")"
done

# Two runs of one rank each, side by side.
train undisturbed --set "schedule.total_steps=$steps" &
undisturbed=$!
train other-seed --set "schedule.total_steps=$steps" --set training.seed=112 &
other=$!
wait "$undisturbed" || failed "the undisturbed run ends with status 0: $?"
wait "$other" || failed "the run with another seed ends with status 0: $?"
expected="$(bits undisturbed)"
echo "SHA-256 of the hashes of all tensors: undisturbed $expected, mpirun $(bits mpirun), srun $(bits srun)," \
    "other seed $(bits other-seed)"
for launcher in mpirun srun; do
    check "$launcher: the bits are those of an undisturbed run" "$expected" "$(bits "$launcher")"
done
if [[ "$(bits other-seed)" != "$expected" ]]; then
    passed "another seed has other bits"
else
    failed "another seed has other bits: the comparison shows nothing"
fi
exit "$failed"
