/*
 * Journals of started operations: shm/group/journal.c, src/onehost/coll/started.c.
 *
 * N ranks start the same OPERATIONS operations. A rank takes an entry from SLOTS, fills it, writes its place into the entry
 * before, and counts. In any order, and as often as it likes, it takes operations to `read`, once all have started them, and
 * to `done`, once all have read them, following the entries of each rank once for each stage; takes back its oldest entry;
 * and, when an operation is over, writes over the buffer that it had lent. A rank that is killed is one that does nothing
 * any more.
 *
 *   shown: whoever reads an entry, or a lent buffer, finds that of its own operation, and nobody writes to one that is read.
 *
 * -DEARLY_REUSE reclaims an entry when all are done with it, not with a later one, although they still need the offset in
 * it. -DEARLY_OVER ends an operation with a lent buffer when this rank has read. Both must fail.
 */
#ifndef N
#define N 2
#endif
#ifndef OPERATIONS
#define OPERATIONS 4
#endif
#ifndef SLOTS
#define SLOTS 3
#endif
#define NONE 255
#define AT(rank, place) ((rank) * SLOTS + (place))
#define OF(rank, op) ((rank) * (OPERATIONS + 1) + (op))

#define STARTED 0
#define READ N
#define DONE (2 * N)
byte counts[3 * N];                           /* mst_journal_lines: by stage, by rank */
byte first[N];
byte entry[N * SLOTS], next[N * SLOTS];       /* mst_journal_entry: whose operation, and where the next is */
byte reading[N * SLOTS];
byte lent[N * (OPERATIONS + 1)];              /* by rank and operation: what is in the buffer */

/* mst_journal_all() */
inline all(stage, least) {
    least = NONE;
    p = 0;
    do
    :: p == N -> break
    :: p < N -> least = (counts[stage + p] < least -> counts[stage + p] : least); p++
    od
}

/* mst_journal_next(): the places that this rank has reached, for one stage */
inline follow(stage, op) {
    p = 0;
    do
    :: p == N -> break
    :: p < N ->
        if
        :: places[stage + p] == NONE -> place = first[p]
        :: else -> place = next[AT(p, places[stage + p])]
        fi;
        assert(place < SLOTS);
        places[stage + p] = place;
        reading[AT(p, place)]++;
        assert(entry[AT(p, place)] == op);
        reading[AT(p, place)]--;
        p++
    od
}

proctype Rank(byte me) {
    byte p, place, least, latest = NONE, oldest = 1, given = 1;
    byte places[3 * N], where[OPERATIONS + 1];
    bool used[SLOTS];

    p = 0;
    do :: p == N -> break :: p < N -> places[READ + p] = NONE; places[DONE + p] = NONE; p++ od;
    do
    /* publish() */
    :: counts[STARTED + me] < OPERATIONS ->
        place = 0;
        do
        :: place == SLOTS -> break
        :: place < SLOTS && used[place] -> place++
        :: place < SLOTS && !used[place] ->
            used[place] = true;
            assert(reading[AT(me, place)] == 0);
            entry[AT(me, place)] = 0;
            next[AT(me, place)] = NONE;
            entry[AT(me, place)] = counts[STARTED + me] + 1;
            lent[OF(me, counts[STARTED + me] + 1)] = counts[STARTED + me] + 1;
            where[counts[STARTED + me] + 1] = place;
            if
            :: latest == NONE -> first[me] = place
            :: else -> next[AT(me, latest)] = place
            fi;
            latest = place;
            counts[STARTED + me]++;
            break
        od
    /* read_all() */
    :: counts[READ + me] < counts[STARTED + me] ->
        all(STARTED, least);
        if
        :: least > counts[READ + me] ->
            follow(READ, counts[READ + me] + 1);
            p = 0;
            do
            :: p == N -> break
            :: p < N -> assert(lent[OF(p, counts[READ + me] + 1)] == counts[READ + me] + 1); p++
            od;
            counts[READ + me]++
        :: else
        fi
    /* finish_all() */
    :: counts[DONE + me] < counts[READ + me] ->
        all(READ, least);
        if
        :: least > counts[DONE + me] -> follow(DONE, counts[DONE + me] + 1); counts[DONE + me]++
        :: else
        fi
    /* mst_journal_reclaim() */
    :: oldest < counts[STARTED + me] ->
        all(DONE, least);
#ifdef EARLY_REUSE
        if
        :: oldest <= least -> used[where[oldest]] = false; oldest++
#else
        if
        :: oldest < least -> used[where[oldest]] = false; oldest++
#endif
        :: else
        fi
    /* the program, after is_over() */
    :: given <= counts[STARTED + me] ->
#ifdef EARLY_OVER
        least = counts[READ + me];
#else
        all(READ, least);
#endif
        if
        :: least >= given -> lent[OF(me, given)] = 0; given++
        :: else
        fi
    :: counts[DONE + me] == OPERATIONS && given > OPERATIONS -> break
    od
}

init {
    byte i = 0;

    atomic { do :: i < N -> run Rank(i); i++ :: else -> break od }
}
