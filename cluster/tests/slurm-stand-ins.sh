#!/usr/bin/env bash
# Tests slurm.sbatch without Slurm: stand-ins for mpirun, srun and scontrol, a real signal. Prints a line for each check,
# "passed" or "failed", a tab and its name; the status is 0 if all passed. slurm.sh tests it with Slurm.

set -euo pipefail

script="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/slurm.sbatch"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
failed=0

# The stand-in for mpirun and srun notes its arguments, then ends with STATUS: at once, or, where SAVES is set, on USR1.
cat >"$folder/mpirun" <<'END'
#!/usr/bin/env bash
echo "$*" >"$FOLDER/arguments"
if [[ -n "${SAVES:-}" ]]; then
    trap 'sleep 0.2; exit "$STATUS"' USR1
    touch "$FOLDER/ready"
    while true; do sleep 0.1; done
fi
exit "$STATUS"
END
cat >"$folder/scontrol" <<'END'
#!/usr/bin/env bash
echo "$*" >"$FOLDER/scontrol-arguments"
END
cp "$folder/mpirun" "$folder/srun"
chmod +x "$folder/mpirun" "$folder/srun" "$folder/scontrol"

export FOLDER="$folder" PATH="$folder:$PATH" SLURM_JOB_ID=17 SLURM_NTASKS=4 SLURM_CPUS_PER_TASK=8
unset MILE_DIST MILE_LAUNCHER SAVES

check() { # name, expected, actual
    if [[ "$2" == "$3" ]]; then
        printf 'passed\tslurm.sbatch: %s\n' "$1"
    else
        printf 'failed\tslurm.sbatch: %s: expected "%s", found "%s"\n' "$1" "$2" "$3"
        failed=1
    fi
}

run() { # status of mpirun, then the script's arguments; prints the script's status
    local status=0 end="$1"
    shift
    rm -f "$folder/arguments" "$folder/scontrol-arguments"
    STATUS="$end" "$script" "$@" >/dev/null 2>&1 || status=$?
    echo "$status"
}

requeued() { cat "$folder/scontrol-arguments" 2>/dev/null || true; }

check "a finished run ends with 0" 0 "$(run 0 run.yaml)"
check "a finished run is not requeued" "" "$(requeued)"
check "arguments reach mile-dist" \
    "-n 4 --map-by ppr:1:node:pe=8 --bind-to core mile-dist train run.yaml --set training.seed=1" \
    "$(run 0 run.yaml --set training.seed=1 >/dev/null && cat "$folder/arguments")"
check "srun starts the ranks where that is asked for" \
    "--mpi=pmix --cpu-bind=cores --cpus-per-task=8 mile-dist train run.yaml" \
    "$(MILE_LAUNCHER=srun run 0 run.yaml >/dev/null && cat "$folder/arguments")"
check "another launcher is status 2" 2 "$(MILE_LAUNCHER=aprun run 0 run.yaml)"
check "a failure keeps its status" 3 "$(run 3 run.yaml)"
check "a failure is not requeued" "" "$(requeued)"
check "status 75 is passed on" 75 "$(run 75 run.yaml)"
check "status 75 requeues the job" "requeue 17" "$(requeued)"
check "no configuration is status 2" 2 "$(run 0)"

for signal in USR1 TERM; do
    rm -f "$folder/ready" "$folder/scontrol-arguments"
    SAVES=1 STATUS=75 "$script" run.yaml >/dev/null 2>&1 &
    job=$!
    for _ in $(seq 100); do
        [[ -e "$folder/ready" ]] && break
        sleep 0.1
    done
    # The script sets its trap right after it has started mpirun.
    sleep 0.2
    kill "-$signal" "$job"
    status=0
    wait "$job" || status=$?
    check "$signal lets the ranks save" 75 "$status"
    check "$signal requeues the job" "requeue 17" "$(requeued)"
done

exit "$failed"
