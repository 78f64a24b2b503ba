/*
 * muster_records_*: the flight recorders of a job's ranks, read from its arena by a process that is not a
 * rank, repeatedly, each record once.
 *
 * A rank fills its ring in the order of places, except those that a seldom used call class still holds. So
 * each time this reads the places that were taken since the last time, and as many before them as may still
 * have been empty then. Stamps tell which records have been reported. Records that were overwritten in
 * between are counted as lost; that counts places, of which a few may never have been filled.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/arena/arena.h"
#include "shm/base/error.h"
#include "shm/base/plain.h"
#include "shm/wait/activity.h"
#include "shm/wait/recorder.h"
#include "src/onehost/coll/describe.h"
#include "src/onehost/group/showing.h"
#include "src/pure/dtype.h"

#define HELD_BACK                                                                                            \
    (MST_RECORDS_HELD + 2 * MST_RECORD_BLOCK) /* may have been taken but not filled at the last look */

#define NAMES 64 /* remembered during a look; a power of two */

/* The name of a group, as rank 0's cell had it in this look. */
typedef struct known_name {
    uint64_t group; /* 0: none; the world's number is not 0 */
    char name[MUSTER_GROUP_NAME_BYTES];
} known_name;

typedef struct ring {
    uint64_t stamps[MST_RECORDS]; /* of reported records, by place */
    uint64_t claimed;             /* at the last look */
} ring;

struct muster_records {
    mst_os_held held; /* the caller's: never closed here */
    mst_geometry geometry;
    mst_host host; /* of several; zeros: it has all ranks */
    ring *rings;   /* by seat */
    known_name names[NAMES];
    uint64_t lost;
};

/* ---- names of groups ---- */

/* Of a group over several hosts, or of one of several hosts: this rank's cell has the number. */
static bool find_cell(const muster_records *records, uint32_t seat, uint64_t group, mst_cell *cell)
{
    for (uint32_t index = 0; index < MST_CELLS_MAX; index++) {
        if (mst_os_object_read(records->held.fd, mst_layout_cell_offset(&records->geometry, seat, index),
                               cell, sizeof *cell) != 0 ||
            mst_load64_acq(&cell->membership) == 0) /* E10: never used, as all that come after it */
            return false;
        if (cell->group == group && cell->group_size > 0)
            return true;
    }
    return false;
}

/* A group's number is where rank 0's cell is, and its membership there. Once that has gone the name stays,
 * until the cell is another group's. */
static void read_name(const muster_records *records, uint32_t of_seat, known_name *known)
{
    uint32_t seat = (uint32_t)(known->group >> 48), index = known->group >> 32 & 0xffff;
    mst_cell cell;

    known->name[0] = '\0';
    if (records->host.job) {
        if (find_cell(records, of_seat, known->group, &cell))
            mst_group_read_name(&cell, known->name); /* E31 */
        return;
    }
    if (seat >= records->geometry.seats || index >= MST_CELLS_MAX ||
        mst_os_object_read(records->held.fd, mst_layout_cell_offset(&records->geometry, seat, index), &cell,
                           sizeof cell) != 0 ||
        ((mst_load64_acq(&cell.membership) ^ known->group) & UINT32_MAX & ~1ULL) != 0) /* E10 */
        return;
    mst_group_read_name(&cell, known->name); /* E31 */
}

static const char *name_of(muster_records *records, uint32_t seat, uint64_t group)
{
    known_name *known = &records->names[(group ^ group >> 32) % NAMES];

    if (known->group != group) {
        known->group = group;
        read_name(records, seat, known);
    }
    return known->name;
}

/* ---- one record ---- */

static void decode_mark(const mst_record *from, muster_record *record)
{
    char name[MST_MARK_BYTES + 1];

    static_assert(sizeof record->phase == sizeof name, "a mark's name fits");
    mst_record_mark_name(from, name);
    mst_plain_make(name); /* it is shown on terminals */
    memcpy(record->phase, name, sizeof name);
    strcpy(record->call, "phase");
    record->arrived_ns = record->entered_ns;
    record->peer = -1;
}

static uint32_t dtype_of(const mst_record_what *what)
{
    return what->dtype == MST_RECORD_BYTES ? (uint32_t)MUSTER_BYTES(1) : what->dtype;
}

static void decode_operation(const mst_record *from, const mst_record_what *what, muster_record *record)
{
    mst_doing doing = { .kind = what->kind,
                        .dtype = dtype_of(what),
                        .op = what->op,
                        .peer = what->peer,
                        .count = mst_load64_rlx(&from->count) };

    record->group = mst_load64_rlx(&from->group);
    record->world = record->group == MST_WORLD_MEMBERSHIP;
    record->group_rank = (int)what->group_rank;
    record->group_size = (int)what->group_size;
    record->call_class = (muster_call_class)what->call_class;
    record->operation = mst_load64_rlx(&from->number);
    if (record->call_class == MUSTER_CALL_SEND || record->call_class == MUSTER_CALL_RECEIVE) {
        record->tag = (int)(int32_t)(record->operation >> 32);
        record->operation = (uint32_t)record->operation;
    }
    record->peer = what->peer;
    record->dtype = (muster_dtype)doing.dtype;
    record->count = (size_t)doing.count;
    record->started = what->started;
    record->arrived_ns = (int64_t)mst_load64_rlx(&from->arrived_ns);
    record->bytes = mst_doing_bytes(&doing, record->group_rank, record->group_size);
    mst_doing_name(&doing, record->call, sizeof record->call);
}

/* False: not a record that a rank could have written. */
static bool decode(const mst_record *from, int rank, muster_record *record)
{
    mst_record_what what = mst_record_unpack(mst_load64_rlx(&from->what)); /* of our copy, like all below */

    if (what.group_size < 1 || what.group_size > MST_RANKS_MAX || what.group_rank >= what.group_size ||
        what.peer >= (int32_t)what.group_size || !mst_dtype_valid((muster_dtype)dtype_of(&what)))
        return false;
    *record = (muster_record){ .struct_size = sizeof *record,
                               .rank = rank,
                               .exact = what.exact,
                               .entered_ns = (int64_t)mst_load64_rlx(&from->entered_ns),
                               .done_ns = (int64_t)mst_load64_rlx(&from->done_ns) };
    if (what.kind == MST_DOING_PHASE) {
        decode_mark(from, record);
        return true;
    }
    decode_operation(from, &what, record);
    return true;
}

/* ---- one ring ---- */

/* Reads some places twice; those that differ are made invalid. */
static bool read_places(const muster_records *records, uint32_t seat, uint64_t first, size_t count,
                        mst_record *places)
{
    mst_record again[MST_RECORDS];
    uint64_t at = mst_layout_records_offset(records->geometry.seats, seat) + first * sizeof(mst_record);
    size_t bytes = count * sizeof(mst_record);

    if (mst_os_object_read(records->held.fd, at, places, bytes) != 0 ||
        mst_os_object_read(records->held.fd, at, again, bytes) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): all bytes, as they were read */
        if (memcmp(&places[i], &again[i], sizeof again[i]) != 0) /* E19 */
            mst_store64_rlx(&places[i].stamp, 0);                /* in our copy */
    return true;
}

static void give_out(muster_records *records, uint32_t seat, int rank, uint64_t first, size_t count,
                     muster_record_fn fn, void *arg)
{
    ring *ring = &records->rings[seat];
    mst_record places[MST_RECORDS];
    muster_record record;

    if (!read_places(records, seat, first, count, places))
        return;
    for (size_t i = 0; i < count; i++) {
        uint64_t stamp = mst_load64_acq(&places[i].stamp), *known = &ring->stamps[first + i]; /* E19 */

        if (stamp == 0 || stamp == *known || (stamp - 1) % MST_RECORDS != first + i)
            continue;
        if (stamp > ring->claimed) { /* newer than `claimed`, over an older record: next time */
            records->lost += *known + MST_RECORDS != stamp;
            continue;
        }
        *known = stamp;
        if (!decode(&places[i], rank, &record))
            continue;
        if (record.group)
            memcpy(record.group_name, name_of(records, seat, record.group), sizeof record.group_name);
        fn(&record, arg);
    }
}

static muster_status read_seat(muster_records *records, uint32_t seat, muster_record_fn fn, void *arg)
{
    uint64_t offset = MST_ENTRIES_OFFSET + (uint64_t)seat * sizeof(mst_rank_entry);
    ring *ring = &records->rings[seat];
    mst_rank_entry entry;

    if (mst_os_object_read(records->held.fd, offset, &entry, sizeof entry) != 0)
        return mst_fail(MUSTER_ERR_BAD_ARENA, "the arena ends within the rank entries: it is damaged");
    uint64_t claimed = mst_load64_rlx(&entry.claimed); /* only a limit: the stamps decide */
    if (claimed == 0)
        return MUSTER_OK;
    if (entry.rank >= records->geometry.size)
        return mst_fail(MUSTER_ERR_BAD_ARENA, "seat %u says that it is rank %u of %u: the arena is damaged",
                        seat, entry.rank, records->geometry.size);
    uint64_t from = ring->claimed > HELD_BACK ? ring->claimed - HELD_BACK : 0;
    if (claimed - from >= MST_RECORDS)
        from = claimed - MST_RECORDS;
    if (claimed - ring->claimed > MST_RECORDS) /* since the last look, or before the first */
        records->lost += claimed - ring->claimed - MST_RECORDS;
    ring->claimed = claimed;
    while (from < claimed) { /* up to the end of the ring, then from its beginning */
        size_t first = from % MST_RECORDS, count = (size_t)(claimed - from);

        count = count < MST_RECORDS - first ? count : MST_RECORDS - first;
        give_out(records, seat, mst_arena_rank_in_job(&records->host, entry.rank), first, count, fn, arg);
        from += count;
    }
    return MUSTER_OK;
}

/* ---- the public functions ---- */

muster_status muster_records_open(int fd, muster_records **opened)
{
    muster_records *records = opened ? calloc(1, sizeof *records) : NULL;
    int32_t launcher_pid;

    if (!opened)
        return mst_fail(MUSTER_ERR_INVALID, "the last argument, where the records are returned, is NULL");
    if (!records)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory to read records");
    records->held = mst_os_hold(fd);
    muster_status status = mst_arena_identify(fd, &records->geometry, &launcher_pid);
    if (status == MUSTER_OK && !mst_arena_read_host(fd, records->geometry.size, &records->host))
        status = mst_fail(MUSTER_ERR_BAD_ARENA,
                          "what the arena says of its job's hosts makes no sense: it is damaged");
    if (status == MUSTER_OK) {
        records->rings = calloc(records->geometry.seats, sizeof *records->rings);
        if (!records->rings)
            status = mst_fail(MUSTER_ERR_NO_MEMORY, "no memory to read records of %u ranks",
                              records->geometry.seats);
    }
    if (status == MUSTER_OK)
        *opened = records;
    else
        free(records);
    return status;
}

muster_status muster_records_read(muster_records *records, muster_record_fn fn, void *arg, uint64_t *lost)
{
    muster_status status = MUSTER_OK;

    if (!records || !fn)
        return mst_fail(MUSTER_ERR_INVALID, "the records, or the function that takes them, are NULL");
    if (mst_os_held_fd(&records->held) < 0)
        return mst_fail(MUSTER_ERR_INVALID,
                        "descriptor %d is no longer that of the arena on which these records were opened; "
                        "keep it open until muster_records_close",
                        records->held.fd);
    memset(records->names, 0, sizeof records->names); /* they may be others by now */
    for (uint32_t seat = 0; status == MUSTER_OK && seat < records->geometry.seats; seat++)
        status = read_seat(records, seat, fn, arg);
    if (lost)
        *lost = records->lost;
    return status;
}

void muster_records_close(muster_records *records)
{
    if (!records)
        return;
    free(records->rings);
    free(records);
}
