/*
 * Call records and arrival lines, with operations that are started in between: src/onehost/coll/call.c,
 * src/onehost/coll/nonblocking.c, shm/group/barrier.c.
 *
 * N ranks make the same OPERATIONS operations in the same order. Every one is drawn to be an ordinary one, or to be
 * started: in any way, but alike on all ranks. An ordinary one writes its record, arrives on the sequence of collectives,
 * waits for all, and reads their records; one that is started writes and arrives on a sequence of its own, and waits and
 * reads when it is finished: before the next is started, or at the end.
 *
 *   shown: whoever reads a record finds that of its own operation: agreement is never a mismatch, and no record is
 *          written while it is read.
 *
 * -DSHARED_COUNT picks the record by the parity of a number that both kinds of operations advance, as the code once
 * did. -DONE_RECORD has one record, not two. Both must fail.
 */
#ifndef N
#define N 2
#endif
#ifndef OPERATIONS
#define OPERATIONS 5
#endif

typedef sequence { byte record[2]; byte reading[2]; byte arrived };
sequence sequences[2 * N];      /* of each rank: mst_cell.calls and collectives, then mst_cell.nonblocking[i] */
#define ORDINARY 0
#define STARTED N
bool is_started[OPERATIONS + 1];

#ifdef ONE_RECORD
#define AT(count) 0
#else
#define AT(count) ((count) & 1)
#endif
#ifdef SHARED_COUNT
#define PARITY(count, op) AT(op)
#else
#define PARITY(count, op) AT(count)
#endif

/* announce(), publish(): in two rounds, as a record is more than a word */
inline publish(kind, at, op, count) {
    assert(sequences[kind + me].reading[at] == 0);
    sequences[kind + me].record[at] = 0;
    sequences[kind + me].record[at] = op;
    sequences[kind + me].arrived = count
}

/* mst_sequence_wait(), compare_records() */
inline compare(kind, at, op, count) {
    p = 0;
    do
    :: p == N -> break
    :: p < N ->
        (sequences[kind + p].arrived >= count);
        p++
    od;
    p = 0;
    do
    :: p == N -> break
    :: p < N ->
        sequences[kind + p].reading[at]++;
        assert(sequences[kind + p].record[at] == op);
        sequences[kind + p].reading[at]--;
        p++
    od
}

proctype Rank(byte me) {
    byte op = 1, rounds = 0, starts = 0, under_way = 0, under_way_at = 0, p;

    do
    :: op > OPERATIONS -> break
    :: op <= OPERATIONS && !is_started[op] ->
        rounds++;
        publish(ORDINARY, PARITY(rounds, op), op, rounds);
        compare(ORDINARY, PARITY(rounds, op), op, rounds);
        op++
    :: op <= OPERATIONS && is_started[op] ->
        if
        :: under_way -> compare(STARTED, under_way_at, under_way, starts)   /* muster_wait() */
        :: else
        fi;
        starts++;
        under_way = op;
        under_way_at = AT(starts);
        publish(STARTED, under_way_at, op, starts);
        op++
    od;
    if
    :: under_way -> compare(STARTED, under_way_at, under_way, starts)
    :: else
    fi
}

init {
    byte i = 1;

    do
    :: i > OPERATIONS -> break
    :: i <= OPERATIONS -> if :: is_started[i] = true :: is_started[i] = false fi; i++
    od;
    atomic { i = 0; do :: i < N -> run Rank(i); i++ :: else -> break od }
}
