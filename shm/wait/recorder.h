/*
 * The flight recorder: the latest MST_RECORDS operations of a rank, in a ring of the arena that outlives the
 * rank.
 *
 * Only the rank writes, when an operation has finished, and no rank reads, so the ring stays in the rank's
 * cache. Several threads of the rank may be in different groups: each call class of a group takes places of
 * the ring in blocks, with one atomic addition per MST_RECORD_BLOCK operations, and fills them one by one. A
 * seldom used call class abandons its places once others have taken many more, which bounds how far back a
 * reader must look for places that are not filled yet.
 *
 * A record is valid if its stamp, 1 + the number of its place, is not 0 and is the same before and after
 * reading it.
 */
#ifndef MST_RECORDER_H
#define MST_RECORDER_H

#include <string.h>

#include "shm/base/atomic.h"
#include "shm/base/layout.h"

#define MST_RECORD_BLOCK 8
#define MST_RECORD_BYTES 0xff                    /* in place of a dtype: the count is of bytes */
#define MST_RECORDS_HELD (14 * MST_RECORD_BLOCK) /* a call class whose places are older takes new ones */

typedef struct mst_recorder {
    mst_record *records;
    _Atomic uint64_t *claimed;
    bool exact; /* times by the exact clock, which costs more than everything else here */
} mst_recorder;

/* The places that a call class has taken: the next one, and where they end. */
typedef struct mst_record_places {
    uint64_t next, end;
} mst_record_places;

/* What is recorded of an operation. */
typedef struct mst_operation {
    uint64_t what; /* mst_record_pack */
    uint64_t number;
    uint64_t group;
    uint64_t count;
    int64_t entered_ns, arrived_ns, done_ns; /* arrived: 0: not all ranks arrived, the operation failed */
} mst_operation;

typedef struct mst_record_what {
    uint32_t kind, dtype, op, call_class;
    bool exact, started; /* exact times; the end of a nonblocking operation */
    int32_t peer;        /* -1: none */
    uint32_t group_rank, group_size;
} mst_record_what;

static inline uint64_t mst_record_pack(const mst_record_what *what)
{
    return (uint64_t)what->kind | (uint64_t)what->dtype << 8 | (uint64_t)what->op << 16 |
           (uint64_t)what->exact << 20 | (uint64_t)what->started << 21 | (uint64_t)what->call_class << 22 |
           (uint64_t)(what->peer + 1) << 24 | (uint64_t)what->group_rank << 36 |
           (uint64_t)what->group_size << 48;
}

/* The number of a message, modulo 2^32, and its tag. */
static inline uint64_t mst_record_pack_message(uint64_t number, uint32_t tag)
{
    return (uint64_t)tag << 32 | (uint32_t)number;
}

static inline mst_record_what mst_record_unpack(uint64_t word)
{
    return (mst_record_what){ .kind = word & 0xff,
                              .dtype = word >> 8 & 0xff,
                              .op = word >> 16 & 0xf,
                              .call_class = word >> 22 & 3,
                              .exact = word >> 20 & 1,
                              .started = word >> 21 & 1,
                              .peer = (int32_t)(word >> 24 & 0xfff) - 1,
                              .group_rank = word >> 36 & 0xfff,
                              .group_size = word >> 48 & 0xffff };
}

static inline void mst_recorder_write(const mst_recorder *recorder, uint64_t place,
                                      const mst_operation *operation)
{
    mst_record *record = &recorder->records[place % MST_RECORDS];

    mst_store64_rlx(&record->stamp, 0);
    mst_store64_rel(&record->what, operation->what); /* E19: these stores come after the stamp's 0 */
    mst_store64_rel(&record->number, operation->number);
    mst_store64_rel(&record->group, operation->group);
    mst_store64_rel(&record->count, operation->count);
    mst_store64_rel(&record->entered_ns, (uint64_t)operation->entered_ns);
    mst_store64_rel(&record->arrived_ns, (uint64_t)operation->arrived_ns);
    mst_store64_rel(&record->done_ns, (uint64_t)operation->done_ns);
    mst_store64_rel(&record->stamp, place + 1); /* E19 */
}

static inline void mst_recorder_note(const mst_recorder *recorder, mst_record_places *places,
                                     const mst_operation *operation)
{
    uint64_t claimed = mst_load64_rlx(recorder->claimed);

    if (places->next == places->end || claimed - places->next > MST_RECORDS_HELD) {
        places->next = mst_add64_rlx(recorder->claimed, MST_RECORD_BLOCK);
        places->end = places->next + MST_RECORD_BLOCK;
    }
    mst_recorder_write(recorder, places->next++, operation);
}

/*
 * A mark: the rank begins a phase of that name, at that time. A mark is not an operation: its name is stored
 * in the fields that hold an operation's numbers, without a terminator if it has the maximum length. Any
 * thread may make one.
 */
#define MST_MARK_BYTES 31

static inline void mst_recorder_mark(const mst_recorder *recorder, uint64_t what, const char *name,
                                     int64_t now_ns)
{
    uint64_t words[4] = { 0 };
    size_t length = strlen(name);

    memcpy(words, name, length < MST_MARK_BYTES ? length : MST_MARK_BYTES);
    mst_operation mark = { .what = what,
                           .number = words[0],
                           .group = words[1],
                           .count = words[2],
                           .arrived_ns = (int64_t)words[3],
                           .entered_ns = now_ns,
                           .done_ns = now_ns };
    mst_recorder_write(recorder, mst_add64_rlx(recorder->claimed, 1), &mark);
}

/* The name of a mark, from a private copy of its record. */
static inline void mst_record_mark_name(const mst_record *record, char name[MST_MARK_BYTES + 1])
{
    const uint64_t words[4] = { mst_load64_rlx(&record->number), mst_load64_rlx(&record->group),
                                mst_load64_rlx(&record->count), mst_load64_rlx(&record->arrived_ns) };

    memcpy(name, words, MST_MARK_BYTES);
    name[MST_MARK_BYTES] = '\0';
}

#endif
