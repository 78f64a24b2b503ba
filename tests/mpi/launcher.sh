# An MPI's launcher, for the scripts here: $launcher, and `mpi`, which runs ranks by it. Sourced after checks.sh; ends with 77
# where there is none. Uses TEST_MPI (openmpi or mpich).
for launcher in mpirun.$TEST_MPI mpirun mpiexec.hydra ""; do
    case $TEST_MPI:$("${launcher:-false}" --version 2>/dev/null) in
    openmpi:*"Open MPI"* | openmpi:*OpenRTE* | mpich:*HYDRA*) break ;;
    esac
done
if [ -z "$launcher" ]; then
    echo "skipped: there is no mpirun of $TEST_MPI; scripts/setup test or mpi installs it"
    exit 77
fi
families='MUSTER\|OMPI\|PRTE\|PMIX\|PMI\|HYDRA\|HYDI\|MPIR_CVAR\|MPICH\|SLURM'
for variable in $(env | sed -n "s/^\(\($families\)_[A-Za-z0-9_]*\|WORLD_SIZE\)=.*/\1/p"); do
    unset "$variable"
done
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
export TMPDIR=/tmp # Open MPI makes sockets below it
ulimit -c 0

# Whether Open MPI's launcher takes ranks for failed that have ended MPI: they wait 2 s at most until it has heard of that, and a machine
# that stands still may take longer (without muster, too). So many RANKS have said in FILE, by MUSTER_LOG=info, that all end MPI.
is_late() { # is_late STATUS FILE RANKS
    [ "$TEST_MPI$1" = openmpi1 ] && grep -q "exiting improperly" "$2" && [ "$(grep -c "info: ends MPI, as all ranks do" "$2")" -eq "$3" ]
}

# mpi STATUS WORDS N COMMAND...: N ranks of it. STATUS "bad": any but 0, and not that of a job that hangs; "any": 0, too.
# MPICH's launcher passes on that its input is at its end, also to ranks that have ended meanwhile, and fails then, with what they have
# said. Its input here is never at its end.
if [ "$TEST_MPI" = mpich ]; then
    mkfifo "$work/input"
    printf '#!/bin/sh\nexec 0<>"%s"\nexec "%s" "$@"\n' "$work/input" "$launcher" >"$work/mpiexec"
    chmod +x "$work/mpiexec"
    launcher=$work/mpiexec
fi
mpi() {
    wanted_status=$1 said=$2 ranks=$3
    shift 3
    checks=$((checks + 1))
    timeout $((60 * ${TEST_PATIENCE:-1})) "$launcher" $options -n "$ranks" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    case $wanted_status in
    bad | any) [ $status -ne 124 ] && [ $wanted_status$status != bad0 ] ;;
    *) [ $status -eq "$wanted_status" ] || is_late $status "$work/err" "$ranks" ;;
    esac || fail "$*: status $status, not $wanted_status"
    [ -z "$said" ] || grep -q -- "$said" "$work/err" || fail "$*: no \"$said\" on stderr"
}
# with NAME VALUE: the option by which one part of a job gets a variable.
with() {
    if [ "$TEST_MPI" = openmpi ]; then echo "-x $1=$2"; else echo "-env $1 $2"; fi
}
options=
