/*
 * The end of a group, and the next one in the same memory: shm/group/subarena.c, shm/wait/poison.c, shm/death/death_word.c.
 *
 * N ranks are in a group; the last of them dies. A rank is a main thread and the thread that watches over it, which
 * may set out to poison the rank's groups at any moment after the death, and is slow. The main thread of each that is
 * left leaves the group, waits until every other member has left it or can write no more, and uses its cell for the
 * next group. The one that dies has a watching thread, too: its death word falls (the death is known) before its last
 * thread has stopped (the kernel confirms it), and in between that thread goes on.
 *
 *   shown: nobody sets out to swap a word of a cell that is another group's by now; the next group is not poisoned;
 *          all who are left reach it.
 *
 * -DLEAVE_FIRST says "left" before the group is off the list that the watching thread walks, as the code once did.
 * -DHASTY uses the cell again when the death is known and not confirmed yet. Both must fail. -DHARM_ONLY looks only for
 * harm to the next group: of that the generation in the word keeps either of them, and with -DUNTAGGED, which has none,
 * both must fail again.
 */
#ifndef N
#define N 3
#endif
#define DOOMED (N - 1)

bool left[N];           /* mst_cell.membership */
bool listed[N];         /* mst_attachment.open */
bool lock[N];           /* mst_attachment.lock */
byte generation[N];     /* of the cell, now */
byte poison[N];         /* mst_cell.poison: 1 + the generation that it is of; 0: none */
bool ended;             /* the death word of the doomed has fallen */
bool gone;              /* mst_rank_entry.gone: the kernel has confirmed it */
bool watcher_over[N];

#ifdef UNTAGGED
#define SWAP(c) atomic { LATE(c); if :: poison[c] == 0 -> poison[c] = 1 + generation[c] :: else fi }
#else
#define SWAP(c) atomic { LATE(c); if :: poison[c] == 0 && generation[c] == 0 -> poison[c] = 1 :: else fi }
#endif
#ifdef HARM_ONLY
#define LATE(c) skip
#else
#define LATE(c) assert(generation[c] == 0)  /* mst_fault_point("never.late") */
#endif

/* mst_subarenas_look_at_terminations(), mst_poison_spread(): at most once per rank, at any time. */
proctype Watcher(byte me) {
    byte c = 0;

    ended;
    atomic { !lock[me] -> lock[me] = true };
    if
    :: listed[me] ->
        do :: c < N -> SWAP(c); c++ :: else -> break od
    :: else
    fi;
    lock[me] = false;
    watcher_over[me] = true
}

proctype Main(byte me) {
    byte r = 0;

    ended;                                  /* it learns of the death in whatever way */
#ifdef LEAVE_FIRST
    left[me] = true;
#endif
    atomic { !lock[me] -> lock[me] = true }; /* mst_subarena_retire() */
    listed[me] = false;
#ifndef LEAVE_FIRST
    left[me] = true;
#endif
    lock[me] = false;
    do                                      /* all_peers_gone() */
    :: r == N -> break
    :: r < N && r == me -> r++
    :: r < N && r != me && r != DOOMED -> left[r]; r++
#ifdef HASTY
    :: r < N && r == DOOMED && r != me -> ended; r++
#else
    :: r < N && r == DOOMED && r != me -> gone; r++
#endif
    od;
    atomic { generation[me] = 1; poison[me] = 0 }; /* mst_cell_init() */
    r = 0;
    do                                      /* the next group, of those who are left */
    :: r == DOOMED -> break
    :: r < DOOMED -> generation[r] == 1; r++
    od;
    assert(poison[me] == 0)
}

/* The kernel: the death word falls, and when the last thread has stopped, at any point of what it did, that is confirmed. */
proctype Death() {
    ended = true;
    watcher_over[DOOMED];
    gone = true
}

/* The doomed one's own thread, which has seen another death, or its own: and is stopped anywhere. */
proctype Straggler() {
    byte c = 0;

    ended;
    do
    :: c < N -> SWAP(c); c++
    :: true -> break
    od;
    watcher_over[DOOMED] = true
}

/* A poisoned word in the next group, later than anyone looked. */
proctype Observer() {
    byte c;

    (generation[0] == 1 && generation[N - 2] == 1);
    c = 0;
    do :: c < DOOMED -> assert(generation[c] == 0 || poison[c] == 0); c++ :: else -> break od
}

init {
    atomic {
        byte i = 0;

        do :: i < N -> listed[i] = true; i++ :: else -> break od;
        i = 0;
        do :: i < DOOMED -> run Main(i); run Watcher(i); i++ :: else -> break od;
        run Straggler();
        run Death();
        run Observer()
    }
}
