#!/usr/bin/env bash
# Runs a command on two hosts that are made for the purpose: name spaces of this machine, joined by one wire.
#
#   cluster/tests/two-hosts.sh [--rate 1gbit] [--ranks 2] [--cut-when TEST] [--] COMMAND...
#   cluster/tests/two-hosts.sh --rate 200mbit -- mile-dist bench step configs/shakespeare.yaml
#
# node1 and node2 have their own names, network, processes, /dev/shm and half of the cores each; they share the file
# system. Between them is a veth pair that tc tbf limits to --rate in each direction (tc's notation; "none": no limit).
# ../ssh.sh starts the command from node1 by a host file: half of the ranks there, the others through ssh on node2.
# Open MPI's settings can be given in the environment, as OMPI_MCA_name=value.
#
# --cut-when takes node2's end of the wire down as soon as the shell command TEST succeeds. What node2 runs then and half
# a minute after mpirun has ended is printed.
#
# At the end it prints "wire: node1 sent N bytes, node2 sent N bytes", as the interfaces count them, and leaves nothing
# behind. The status is that of mpirun; 2 for wrong arguments; 69 where the hosts cannot be made, with the reason.

set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

say() { printf 'two-hosts: %s\n' "$*" >&2; }

fail() { # status, message
    say "$2"
    exit "$1"
}

rate=1gbit
ranks=2
cut_when=""
arguments=("$@")
while (($# > 0)); do
    case "$1" in
        --rate) rate="${2:?}" && shift 2 ;;
        --ranks) ranks="${2:?}" && shift 2 ;;
        --cut-when) cut_when="${2:?}" && shift 2 ;;
        --) shift && break ;;
        -*) fail 2 "unknown option $1; known are --rate, --ranks and --cut-when" ;;
        *) break ;;
    esac
done
(($# > 0)) || fail 2 "no command to run"

for tool in ip tc unshare nsenter taskset ssh ssh-keygen mpirun /usr/sbin/sshd; do
    command -v "$tool" >/dev/null || fail 69 "there is no $tool; Tests/prerequisites.sh installs it on Debian"
done

# In a name space of processes that ends with this script, however it ends, and all hosts with it.
if [[ -z "${MILE_TWO_HOSTS_ISOLATED:-}" ]]; then
    isolate=(unshare --net --pid --fork --kill-child --mount --mount-proc)
    if ((EUID != 0)) || ! "${isolate[@]}" ip link add type veth 2>/dev/null; then
        fail 69 "making hosts needs rights that are not given here (root, name spaces, veth)"
    fi
    MILE_TWO_HOSTS_ISOLATED=yes exec "${isolate[@]}" "${BASH_SOURCE[0]}" "${arguments[@]}"
fi
unset MILE_TWO_HOSTS_ISOLATED

folder="$(mktemp -d "${TMPDIR:-/tmp}/mile-hosts-XXXXXX")"
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM

# The numbers of the cores that this script may use, one a line.
cores() {
    sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status | tr ',' '\n' | while IFS=- read -r first last; do
        seq "$first" "${last:-$first}"
    done
}

write_files() {
    ssh-keygen -q -t ed25519 -N "" -f "$folder/key"
    cp "$folder/key.pub" "$folder/authorized_keys"
    printf '127.0.0.1 localhost\n10.77.0.1 node1\n10.77.0.2 node2\n' >"$folder/hosts"
    printf 'node1 slots=%s\nnode2 slots=%s\n' "$(((ranks + 1) / 2))" "$((ranks / 2))" >"$folder/hostfile"
    cat >"$folder/ssh_config" <<END
Host node1 node2
    User root
    IdentityFile $folder/key
    IdentitiesOnly yes
    BatchMode yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
END
    cat >"$folder/sshd_config" <<END
HostKey $folder/key
AuthorizedKeysFile $folder/authorized_keys
AuthenticationMethods publickey
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
END
    # sshd lets nobody in whose password is locked with "!", as root's may be; "*" is only no password.
    sed 's/^root:![^:]*/root:*/' /etc/shadow >"$folder/shadow"
    chmod 600 "$folder/shadow"
    # What a host runs until the end, as its first process.
    cat >"$folder/host" <<'END'
#!/usr/bin/env bash
set -euo pipefail
folder="$1"
hostname "$2"
mount --bind "$folder/hosts" /etc/hosts
mount --bind "$folder/shadow" /etc/shadow
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir -m 755 /run/sshd
ip link set lo up
touch "$folder/$2.up"
# The link is put in from outside.
until ip address show dev wire 2>/dev/null | grep -q "inet 10.77"; do sleep 0.05; done
exec /usr/sbin/sshd -D -e -f "$folder/sshd_config" >"$folder/$2.log" 2>&1
END
    chmod +x "$folder/host"
}

# Starts the host $1 on the cores $2 and leaves the pid of its first process in `pid`.
start_host() {
    local parent
    taskset --cpu-list "$2" unshare --net --uts --ipc --pid --mount --fork --kill-child --mount-proc \
        "$folder/host" "$folder" "$1" &
    parent=$!
    until [[ -e "$folder/$1.up" ]]; do
        kill -0 "$parent" 2>/dev/null || fail 69 "$1 did not start"
        sleep 0.05
    done
    pid="$(cat "/proc/$parent/task/$parent/children")"
    pid="${pid// /}"
}

on_network_of() { # pid, command...
    local target="$1"
    shift
    nsenter --target "$target" --net -- "$@"
}

plug_in() { # pid, end of the wire, address
    ip link set "$2" netns "$1"
    on_network_of "$1" ip link set "$2" name wire
    on_network_of "$1" ip link set wire up
    if [[ "$rate" != none ]]; then
        on_network_of "$1" tc qdisc add dev wire root tbf rate "$rate" burst 256kb latency 50ms
    fi
    on_network_of "$1" ip address add "$3/24" dev wire
}

# Bytes that the host with the first process $1 has put on the wire.
sent_bytes() { sed -n 's/^ *wire: *//p' "/proc/$1/net/dev" | awk '{ print $9 }'; }

# Names of the programs that the host with the first process $1 runs, but for the servers of ssh.
running_on() {
    local names
    names="$(nsenter --target "$1" --pid --mount -- ps -e -o comm= | grep -v -x -e ps -e sshd | sort -u | paste -sd' ')"
    echo "${names:-nothing}"
}

write_files
mapfile -t all_cores < <(cores)
half=$((${#all_cores[@]} / 2))
first_half=("${all_cores[@]:0:half}")
second_half=("${all_cores[@]:half}")
# Where there is one core, both have it.
((half > 0)) || first_half=("${second_half[@]}")
start_host node1 "$(IFS=, && echo "${first_half[*]}")"
node1="$pid"
start_host node2 "$(IFS=, && echo "${second_half[*]}")"
node2="$pid"
ip link add end1 type veth peer name end2
plug_in "$node1" end1 10.77.0.1
plug_in "$node2" end2 10.77.0.2

# shellcheck disable=SC2016  # the inner shell expands them
on_node1=(nsenter --target "$node1" --net --uts --ipc --pid --mount --
    bash -c 'cd "$0" && exec "$@"' "$PWD")
tries=0
until "${on_node1[@]}" ssh -F "$folder/ssh_config" node2 true 2>"$folder/ssh.log"; do
    tries=$((tries + 1))
    ((tries < 50)) || fail 69 "node2 does not answer: $(cat "$folder/ssh.log" "$folder/node2.log")"
    sleep 0.1
done

# Root in a container: Open MPI refuses unless told.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
before1="$(sent_bytes "$node1")"
before2="$(sent_bytes "$node2")"
# Only TCP reaches the other host, on the wire; between ranks of one, shared memory is fine.
export OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader,tcp
export OMPI_MCA_btl_tcp_if_include=10.77.0.0/24 OMPI_MCA_oob_tcp_if_include=10.77.0.0/24
export OMPI_MCA_orte_tmpdir_base="$folder" OMPI_MCA_plm_rsh_agent="ssh -F $folder/ssh_config"
taskset --cpu-list "$(IFS=, && echo "${first_half[*]}")" "${on_node1[@]}" \
    "$root/cluster/ssh.sh" "$folder/hostfile" "$@" &
launcher=$!
if [[ -n "$cut_when" ]]; then
    until bash -c "$cut_when" >/dev/null 2>&1; do
        kill -0 "$launcher" 2>/dev/null || break
        sleep 0.1
    done
    if kill -0 "$launcher" 2>/dev/null; then
        say "cutting the wire; node2 runs $(running_on "$node2")"
        on_network_of "$node2" ip link set wire down
        cut_at=$SECONDS
    fi
fi
status=0
wait "$launcher" || status=$?
if [[ -n "${cut_at:-}" ]]; then
    say "mpirun ended with status $status, $((SECONDS - cut_at)) s after the cut"
    limit=$((SECONDS + 30))
    until [[ "$(running_on "$node2")" == nothing ]] || ((SECONDS >= limit)); do sleep 0.5; done
    say "node2 runs $(running_on "$node2"), $((SECONDS - cut_at)) s after the cut"
fi
printf 'wire: node1 sent %s bytes, node2 sent %s bytes\n' \
    "$(($(sent_bytes "$node1") - before1))" "$(($(sent_bytes "$node2") - before2))"
exit "$status"
