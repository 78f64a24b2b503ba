/*
 * Call records and arrival lines, with operations that are started in between: src/onehost/coll/round.c,
 * shm/group/barrier.c.
 *
 * N ranks make the same OPERATIONS operations in the same order. Every one is drawn to be an ordinary one, or to be
 * started: in any way, but alike on all ranks. An ordinary one writes its record, arrives on the sequence of collectives,
 * waits for all, and reads their records; one that is started only counts (journal.pml has the rest).
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
sequence sequences[N];      /* of each rank: mst_cell.calls and collectives */
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
inline publish(at, op, count) {
    assert(sequences[me].reading[at] == 0);
    sequences[me].record[at] = 0;
    sequences[me].record[at] = op;
    sequences[me].arrived = count
}

/* mst_sequence_wait(), compare_records() */
inline compare(at, op, count) {
    p = 0;
    do
    :: p == N -> break
    :: p < N ->
        (sequences[p].arrived >= count);
        p++
    od;
    p = 0;
    do
    :: p == N -> break
    :: p < N ->
        sequences[p].reading[at]++;
        assert(sequences[p].record[at] == op);
        sequences[p].reading[at]--;
        p++
    od
}

proctype Rank(byte me) {
    byte op = 1, rounds = 0, p;

    do
    :: op > OPERATIONS -> break
    :: op <= OPERATIONS && !is_started[op] ->
        rounds++;
        publish(PARITY(rounds, op), op, rounds);
        compare(PARITY(rounds, op), op, rounds);
        op++
    :: op <= OPERATIONS && is_started[op] -> op++
    od
}

init {
    byte i = 1;

    do
    :: i > OPERATIONS -> break
    :: i <= OPERATIONS -> if :: is_started[i] = true :: is_started[i] = false fi; i++
    od;
    atomic { i = 0; do :: i < N -> run Rank(i); i++ :: else -> break od }
}
