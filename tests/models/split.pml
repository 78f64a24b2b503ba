/*
 * split: src/onehost/create/split.c, with crashes and with ranks that find no memory for their part.
 *
 * Each rank claims a part (its memory for the child), or fails to; publishes that either way; waits for
 * all; and from the same records makes the child, or gives the part back. Waiting ends when all have
 * published, or in poison when somebody was killed: that the waiting ends is barrier.pml's affair.
 *
 *   shown: a rank that has the child sees only parts that were claimed and are still there; a part is
 *          freed for use by others (mst_member_release) only if no rank has a child with it; what one
 *          rank found no memory for, no rank has.
 *
 * -DHASTY gives the part back for use when the wait fails (mst_member_abandon keeps it): must fail, since
 * a peer may have seen all records.
 */
#ifndef N
#define N 3
#endif
#ifndef K
#define K 1
#endif

mtype = { NOTHING, CLAIMED, REFUSED };
mtype record[N] = NOTHING;      /* mst_split_record.status, published by E3 */
bool published[N];
bool memory[N];                 /* the part's memory is this rank's still, and initialised */
bool has_child[N];
bool dead[N];
byte killed;

#define CRASH if :: killed < K -> killed++; dead[me] = true; goto gone :: skip fi

proctype Rank(byte me) {
    byte p = 0;
    bool any_dead = false, refused = false;
    mtype own;

    CRASH;
    if                                          /* mst_member_claim() */
    :: memory[me] = true; own = CLAIMED
    :: own = REFUSED
    fi;
    CRASH;
    record[me] = own;                           /* exchange() */
    CRASH;
    published[me] = true;                       /* mst_sequence_round(), E3 */
    CRASH;
    do
    :: p == N -> break
    :: p < N && published[p] -> p++             /* ready comes first */
    :: p < N && !published[p] && killed > 0 -> any_dead = true; break
    od;
    if
    :: any_dead ->
#ifdef HASTY
        memory[me] = false;
#endif
        goto gone                               /* mst_member_abandon(): left, and kept */
    :: else -> skip
    fi;
    CRASH;
    p = 0;
    do                                          /* gather_members(), check_members() */
    :: p == N -> break
    :: p < N -> if :: record[p] == REFUSED -> refused = true :: else fi; p++
    od;
    if
    :: refused -> memory[me] = false            /* mst_member_release(): all have seen it fail */
    :: else ->
        has_child[me] = true;                   /* mst_child_create() */
        p = 0;
        do
        :: p == N -> break
        :: p < N -> assert(memory[p] || dead[p]); assert(record[p] == CLAIMED); p++
        od
    fi;
gone: skip
}

/* Whoever has the child uses its peers' memory at any time later. */
proctype Watcher() {
    byte a = 0, b;

    do
    :: a == N -> break
    :: a < N ->
        b = 0;
        do :: b < N -> d_step { assert(!has_child[a] || memory[b] || dead[b]) }; b++ :: else -> break od;
        a++
    od
}

init { atomic { byte i = 0; do :: i < N -> run Rank(i); i++ :: else -> break od; run Watcher() } }
