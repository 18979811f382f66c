#!/usr/bin/env bash
# Executes the steps of the Dockerfile and of apptainer.def in clean Debian 12 roots, where there is no container engine,
# and runs there what they made.
#
#   cluster/tests/images.sh                       builds the program as they do: half an hour on two cores
#   cluster/tests/images.sh --program PROGRAM     a stand-in for "swift build" puts PROGRAM there instead: some minutes
#   cluster/tests/images.sh --keep FOLDER         leaves the roots in FOLDER, and takes a base that is there
#
# debootstrap makes the base, with the mirror that this machine's apt uses. Each RUN and COPY of the Dockerfile and each
# %files and %post of apptainer.def is read from the file and executed as it is, in the order of the file; of the image
# swift:* this machine's own Swift takes the place, mounted read-only. Prints a line for each check: "passed", "failed" or
# "skipped", a tab, its name and what else is known. The status is 0 if none failed.

# shellcheck disable=SC2317  # functions that are called by name

set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
arguments=("$@")
program=""
folder=""
while (($# > 0)); do
    case "$1" in
        --program) program="$(realpath "${2:?}")" && shift 2 ;;
        --keep) mkdir -p "${2:?}" && folder="$(realpath "$2")" && shift 2 ;;
        *) echo "usage: $0 [--program PROGRAM] [--keep FOLDER]" >&2 && exit 2 ;;
    esac
done

skip() {
    printf 'skipped\timages: %s\n' "$1"
    exit 0
}

((EUID == 0)) || skip "clean roots need rights that are not given here (root)"
for tool in debootstrap unshare chroot swift ip; do
    command -v "$tool" >/dev/null || skip "there is no $tool"
done
# In a name space of mounts and processes that ends with this script, however it ends.
if [[ -z "${MILE_IMAGES_ISOLATED:-}" ]]; then
    isolate=(unshare --mount --pid --fork --kill-child --mount-proc)
    "${isolate[@]}" true 2>/dev/null || skip "mounting needs rights that are not given here"
    MILE_IMAGES_ISOLATED=yes exec "${isolate[@]}" "${BASH_SOURCE[0]}" "${arguments[@]}"
fi

failures=0
if [[ -z "$folder" ]]; then
    folder="$(mktemp -d "${TMPDIR:-/var/tmp}/mile-images-XXXXXX")"
    # One file system: what is mounted in the roots is not ours to remove.
    trap 'umount --recursive --lazy "$folder"/*/ 2>/dev/null || true; rm -rf --one-file-system "$folder"' EXIT
fi
trap 'exit 1' INT TERM
log="$folder/log"
: >"$log"

passed() { printf 'passed\timages: %s\n' "$1"; }

failed() {
    printf 'failed\timages: %s\n' "$1"
    failures=$((failures + 1))
    tail -n 30 "$log" | sed 's/^/    /' >&2
}

# Runs the rest of the arguments, the output to the log; the check $1 is whether they succeed.
check() {
    local name="$1" start=$SECONDS
    shift
    if "$@" >"$log" 2>&1; then passed "$name ($((SECONDS - start)) s)"; else failed "$name"; return 1; fi
}

# The mirror of this machine's apt: the first source, in either notation, that has the suite bookworm.
mirror() {
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        [[ -r "$file" ]] || continue
        awk '
            $1 == "deb" { for (i = 2; i < NF; i++) if ($i ~ /^https?:/ && $(i + 1) == "bookworm") { print $i; exit } }
            $1 == "URIs:" { uri = $2 }
            $1 == "Suites:" { for (i = 2; i <= NF; i++) if ($i == "bookworm") { print uri; exit } }
        ' "$file"
    done | head -n 1
}

# A root of Debian 12 and nothing else, with the way to the network that this machine has.
make_base() {
    local address
    [[ ! -e "$folder/base/etc/debian_version" ]] || return 0
    address="$(mirror)"
    [[ -n "$address" ]] || { echo "no source of apt has the suite bookworm" && return 1; }
    debootstrap --variant=minbase bookworm "$folder/base.new" "$address" || return 1
    mv "$folder/base.new" "$folder/base"
}

make_root() { # name
    local new="$folder/$1"
    [[ ! -e "$new" ]] || { umount --recursive --lazy "$new" 2>/dev/null || true; rm -rf --one-file-system "$new"; }
    cp -a "$folder/base" "$new"
    cp --dereference /etc/resolv.conf "$new/etc/resolv.conf"
    apt-config dump | grep -E '^Acquire::https?::.*[Pp]roxy' >"$new/etc/apt/apt.conf.d/90proxy" || true
    mount --bind "$new" "$new"
    mount -t proc proc "$new/proc"
    mount --rbind /dev "$new/dev"
    mount -t tmpfs tmpfs "$new/dev/shm"
}

# The image swift:*: what it has beside Debian, and the toolchain of this machine or the stand-in.
make_swift() {
    local new="$folder/$1" toolchain
    toolchain="$(dirname "$(dirname "$(dirname "$(realpath "$(command -v swift)")")")")"
    mkdir -p "$new$toolchain"
    mount --bind "$toolchain" "$new$toolchain"
    mount -o remount,bind,ro "$new$toolchain"
    if [[ -n "$program" ]]; then
        mkdir -p "$new/stand-in"
        install "$program" "$new/stand-in/mile-dist"
        cat >"$new/usr/local/bin/swift" <<'END'
#!/bin/sh
[ "$1" = build ] && install -D /stand-in/mile-dist .build/release/mile-dist
END
        chmod 755 "$new/usr/local/bin/swift"
        return
    fi
    ln -s "$toolchain/usr/bin/swift" "$new/usr/local/bin/swift"
    inside "$1" / root 'apt-get update && apt-get install --yes --no-install-recommends binutils ca-certificates gcc \
        git libc6-dev libcurl4-openssl-dev libedit2 libncurses6 libpython3-dev libsqlite3-0 libstdc++-12-dev libxml2-dev \
        libz3-dev zlib1g-dev tzdata'
    # Whom this machine trusts, and where its git finds what it is to fetch.
    cp --dereference /etc/ssl/certs/ca-certificates.crt "$new/etc/ssl/certs/ca-certificates.crt"
    git config --get-regexp '^url\..*\.insteadof$' | while read -r key value; do
        inside "$1" / root "git config --system --add '$key' '$value'"
        key="${key#url.}"
        key="${key%.insteadof}"
        if [[ -d "$key" && ! -e "$new$key" ]]; then
            mkdir -p "$new$key"
            mount --bind "$key" "$new$key"
            mount -o remount,bind,ro "$new$key"
            inside "$1" / root "git config --system --add safe.directory '*'"
        fi
    done
}

# A program that was not linked statically, as the stand-in's, needs the toolchain's libraries.
lend_libraries() {
    local library
    [[ -n "$program" ]] || return 0
    for library in $(ldd "$program" | sed -n 's/.* => \(.*\/swift\/.*\) (.*/\1/p'); do
        install -D "$library" "$folder/$1$library"
    done
}

# Runs the shell commands $4 in the root $1, in its folder $2, as its user $3, with the variables of `environment`.
inside() {
    local account=()
    if [[ "$3" != root ]]; then account=(--userspec="$3:$3"); fi
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME="$([[ "$3" == root ]] && echo /root || echo "/home/$3")" "${environment[@]}" \
        chroot "${account[@]}" "$folder/$1" /bin/sh -c "cd '$2' && $4"
}
environment=()

# Copies as Docker does: the rest of the arguments into the last; of folders, what is in them.
copy_into() { # root of the sources, root, folder that relative targets start from, sources..., target
    local from="$1" to="$2" at="$3" target source
    shift 3
    target="${*: -1}"
    [[ "$target" == /* ]] || target="$at/$target"
    for source in "${@:1:$#-1}"; do
        if [[ -d "$from/$source" ]]; then
            mkdir -p "$to/$target"
            cp -R --preserve=mode,timestamps "$from/$source/." "$to/$target/"
        elif [[ "$target" == */ ]]; then
            install -D --preserve-timestamps --mode="$(stat -c %a "$from/$source")" "$from/$source" "$to/$target$(basename "$source")"
        else
            install -D --preserve-timestamps --mode="$(stat -c %a "$from/$source")" "$from/$source" "$to/$target"
        fi
    done
}

# Whether the .dockerignore lets the sources of a COPY through: only those go to the engine.
is_sent() {
    local source
    for source; do
        grep -qxF "!${source%/}" "$root/.dockerignore" ||
            { echo "COPY $source: .dockerignore leaves it out" && return 1; }
    done
}

run_dockerfile() {
    local instruction rest stage=0 name at=/ user=root from
    local -a words
    while IFS= read -r line; do
        read -r instruction rest <<<"$line"
        read -r -a words <<<"$rest"
        case "$instruction" in
            FROM)
                stage=$((stage + 1)) at=/ user=root environment=()
                name="docker-$stage"
                make_root "$name"
                if [[ "$rest" == swift:* ]]; then check "Dockerfile: $line" make_swift "$name" || return 1; fi
                ;;
            RUN) check "Dockerfile: $line" inside "$name" "$at" "$user" "$rest" || return 1 ;;
            COPY)
                from="$root"
                if [[ "$rest" == --from=build\ * ]]; then
                    from="$folder/docker-1"
                    words=("${words[@]:1}")
                else
                    check "Dockerfile: $line, in .dockerignore" is_sent "${words[@]:0:${#words[@]}-1}" || return 1
                fi
                check "Dockerfile: $line" \
                    copy_into "$from" "$folder/$name" "$at" "${words[@]}" || return 1
                ;;
            ARG | ENV) environment+=("$rest") ;;
            WORKDIR) at="$rest" && mkdir -p "$folder/$name$at" ;;
            USER) user="$rest" ;;
            ENTRYPOINT) ;;
            *) failed "Dockerfile: this test does not know $instruction" && return 1 ;;
        esac
    done < <(sed '/^ *#/d' "$root/Dockerfile" | sed -e ':join' -e '/\\$/{N;s/\\\n */ /;bjoin' -e '}' | grep .)
    result_user="$user" result_at="$at" result="$name"
}

# Everything between the heading $2 of the stage $1 and the next heading.
section() {
    awk -v stage="$1" -v heading="$2" '
        /^Stage:/ { current = $2; on = 0 }
        /^Bootstrap:/ { on = 0 }
        /^%/ { on = current == stage && $0 == heading; next }
        on { print }
    ' "$root/cluster/apptainer.def"
}

copy_section() { # root of the sources, root, stage, heading
    local source target
    while read -r source target; do
        [[ -z "$source" ]] || copy_into "$1" "$2" / "$source" "$target"
    done < <(section "$3" "$4")
}

run_apptainer() {
    environment=()
    make_root apptainer-build
    check "the base of apptainer.def's stage build" make_swift apptainer-build || return 1
    check "apptainer.def: build %files" copy_section "$root" "$folder/apptainer-build" build %files || return 1
    # Built from the same files at the same place: what is done already need not be done again.
    if [[ -d "$folder/docker-1/source/.build" ]]; then
        cp -a "$folder/docker-1/source/.build" "$folder/apptainer-build/source/.build"
    fi
    check "apptainer.def: build %post" inside apptainer-build / root "set -e
        $(section build %post)" || return 1
    make_root apptainer-run
    check "apptainer.def: run %files from build" \
        copy_section "$folder/apptainer-build" "$folder/apptainer-run" run "%files from build" || return 1
    check "apptainer.def: run %post" inside apptainer-run / root "set -e
        $(section run %post)" || return 1
    lend_libraries apptainer-run
    write_run apptainer-run
    # Apptainer runs as whoever starts it, with that user's folder: here somebody whom the root does not know.
    mkdir -m 777 "$folder/apptainer-run/job"
    printf '#!/bin/sh\n%s\n' "$(section run %runscript)" >"$folder/apptainer-run/runscript"
    chmod 755 "$folder/apptainer-run/runscript"
    check "the Apptainer image's runscript prints the version" inside apptainer-run /job 12345 "/runscript --version" || return 1
    check "it trains on two ranks as any user" inside apptainer-run /job 12345 "$two_ranks /runscript $short_run" || return 1
}

# Ends at once, and takes a few seconds: the embedded job is the same program for longer.
# shellcheck disable=SC2016  # the inner shell expands it
short_run='train /tmp/run.yaml --set logging.directory=$PWD/run'
two_ranks='mpirun --oversubscribe -n 2'
write_run() { # root
    cat >"$folder/$1/tmp/run.yaml" <<'END'
model: {hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 4, vocab_size: 257,
        max_position_embeddings: 32, initializer_range: 0.02}
data: {tokenizer: bytes, train: [{name: synthetic, path: "synthetic:train"}], sequence_length: 32}
schedule: {warmup_steps: 2, total_steps: 10}
training: {global_batch_size: 4, micro_batch_size: 2, threads: 1}
END
}

# What a shell in the root of the image is told by, as the image's user.
in_image=(env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/home/mile)

# As Kubeflow does: a key pair for the job, mounted over ~/.ssh and owned by root; a host file; on the worker sshd as the
# image's user, on the launcher ssh.sh. Each of the two has its own network, joined by a wire.
run_worker() {
    local image="$folder/$result" ssh="$folder/$result/home/mile/.ssh" status=0 worker launcher
    rm -rf "$ssh"
    mkdir -p "$ssh"
    ssh-keygen -q -t ecdsa -m PEM -N "" -f "$ssh/id_rsa"
    cp "$ssh/id_rsa.pub" "$ssh/authorized_keys"
    chmod 644 "$ssh"/*
    printf '127.0.0.1 localhost\n192.0.2.1 launcher\n192.0.2.2 worker\n' >"$image/etc/hosts"
    printf 'worker slots=2\n' >"$image/tmp/hostfile"
    # shellcheck disable=SC2016  # the inner shells expand them
    local wait_for_wire='hostname "$0"; ip link set lo up; until ip address show | grep -q "inet 192"; do sleep 0.1; done; exec "$@"'
    unshare --net --uts bash -c "$wait_for_wire" worker \
        "${in_image[@]}" chroot --userspec=mile:mile "$image" /usr/sbin/sshd -De -f /home/mile/.sshd_config &
    worker=$!
    unshare --net --uts bash -c "$wait_for_wire" launcher \
        "${in_image[@]}" chroot --userspec=mile:mile "$image" env --chdir="$result_at" bash -c 'sleep 1 && exec "$@"' bash \
        /usr/local/share/mile-dist/cluster/ssh.sh /tmp/hostfile \
        mile-dist train /tmp/run.yaml --set logging.directory=worker &
    launcher=$!
    sleep 1
    ip link add mile1 netns "$launcher" type veth peer name mile2 netns "$worker"
    nsenter --target "$worker" --net ip link set mile2 up
    nsenter --target "$launcher" --net ip link set mile1 up
    nsenter --target "$worker" --net ip address add 192.0.2.2/24 dev mile2
    nsenter --target "$launcher" --net ip address add 192.0.2.1/24 dev mile1
    wait "$launcher" || status=$?
    kill "$worker"
    wait "$worker" || true
    ((status == 0)) && grep -q "Accepted publickey for mile" "$log" && grep -q ", 2 ranks x " "$log"
}

check "debootstrap makes Debian 12" make_base || exit 1
if run_dockerfile; then
    lend_libraries "$result"
    write_run "$result"
    environment=()
    check "the image's user is not root" [ "$result_user" != root ] || true
    # shellcheck disable=SC2016  # the inner shell expands it
    check "all libraries are there" inside "$result" "$result_at" "$result_user" \
        'test -z "$(ldd /usr/local/bin/mile-dist | grep "not found")"' || true
    if check "mile-dist --version" inside "$result" "$result_at" "$result_user" "mile-dist --version"; then
        sed 's/^/    /' "$log"
    fi
    if check "mpirun -n 2 mile-dist trains" inside "$result" "$result_at" "$result_user" \
        "$two_ranks mile-dist $short_run"; then
        grep -E '^(run:|step 10/|done)' "$log" | sed 's/^/    /'
    fi
    check "mpirun starts the embedded job" inside "$result" "$result_at" "$result_user" \
        "timeout 20 $two_ranks mile-dist | grep -m 1 '^step '" || true
    check "a worker's sshd, without root, lets mpirun start ranks" run_worker || true
fi
run_apptainer || true
exit "$((failures > 0))"
