/*
 * muster_inspect: what the ranks of a job are doing, read from its arena by a process that is not a rank.
 *
 * Everything is read with pread, into private copies: nothing is written, mapped or waited for, and holes or
 * a truncated file do no harm. It works even when all ranks are dead, as long as some process has the arena
 * open. What changes while it is read is read again, until two copies are equal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/arena/arena.h"
#include "shm/base/error.h"
#include "shm/death/terminations.h"
#include "shm/wait/activity.h"
#include "shm/wait/poison.h"
#include "src/onehost/coll/describe.h"
#include "src/onehost/group/showing.h"
#include "src/pure/collective.h"
#include "src/pure/dtype.h"
#include "src/pure/message.h"
#include "src/pure/sized.h"

#define ATTEMPTS 20 /* at reading what changes meanwhile */

typedef struct reader {
    int fd;
    mst_geometry geometry; /* without a base: only for offsets */
    int size;
    muster_seen_rank *ranks;
    muster_seen_call *calls;
    int rank_count, call_count, calls_room;
    mst_host *host; /* of several; zeros: it has all ranks */
    bool ended;     /* the rank that is read has, and is in no call any more */
} reader;

/* ---- one rank in one group ---- */

/* Reads until all activities, and the name, are equal twice: a call that begins or ends in between is read
 * again. */
static bool read_cell(const reader *reader, uint32_t seat, uint32_t index, mst_cell *cell)
{
    uint64_t offset = mst_layout_cell_offset(&reader->geometry, seat, index);
    mst_cell again;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (mst_os_object_read(reader->fd, offset, cell, sizeof *cell) != 0 ||
            mst_os_object_read(reader->fd, offset, &again, sizeof again) != 0)
            return false;
        /* NOLINTBEGIN(bugprone-suspicious-memory-comparison): all bytes, as they were read */
        if (memcmp(cell->activities, again.activities, sizeof again.activities) == 0 && /* E18 */
            memcmp(cell->name, again.name, sizeof again.name) == 0)                     /* E31 */
            return true;
        /* NOLINTEND(bugprone-suspicious-memory-comparison) */
    }
    for (int i = 0; i < MST_ACTIVITIES; i++) { /* a busy rank with short calls: only numbers are valid */
        uint64_t number = mst_load64_acq(&cell->activities[i].number); /* E18 */

        mst_store64_rlx(&cell->activities[i].number, number + (number & 1)); /* in our copy: not in a call */
    }
    return true;
}

static void describe(const mst_activity *activity, char *text, size_t bytes)
{
    const mst_doing *doing = &activity->doing;
    uint32_t kind = mst_doing_kind(doing);
    mst_call_record record = {
        .collective = kind, .dtype = doing->dtype, .op = doing->op, .root = doing->peer, .count = doing->count
    };
    char name[40], tag[MST_TAG_BYTES], dtype[MST_DTYPE_NAME_BYTES];

    if (kind < MST_COLLECTIVE_COUNT) {
        snprintf(record.made, sizeof record.made, "%.*s", (int)sizeof record.made - 1, activity->op_name);
        mst_request_describe(&record, text, bytes);
        return;
    }
    mst_doing_name(doing, name, sizeof name);
    mst_dtype_describe((muster_dtype)doing->dtype, dtype);
    mst_tag_describe((int)(int32_t)doing->op, tag);
    if (kind <= MST_DOING_SENDRECV)
        mst_message_describe(name, (muster_dtype)doing->dtype, (size_t)doing->count, (int)doing->op, text,
                             bytes);
    else if (kind == MST_DOING_PROBE)
        snprintf(text, bytes, "%s (%s)", name, tag);
    else if (kind >= MST_DOING_SPLIT)
        snprintf(text, bytes, "%s", name);
    else
        snprintf(text, bytes, "%s (%s x %llu)", name, dtype, (unsigned long long)doing->count);
}

/* Of a wait for any of several; what an arena says may be anything. Returns whom all shown need, or -1. */
static int describe_any(const mst_activity *activity, int size, char *text, size_t bytes)
{
    mst_shown_any any;
    size_t at = strlen(text);

    memcpy(&any, activity->op_name, sizeof any);
    int peer = any.count <= MST_SHOWN_MAX ? any.peers[0] : -1;
    snprintf(text + at, bytes - at, ", or any of %u more, of ranks", any.count - 1);
    for (uint32_t i = 0; i < any.count && i < MST_SHOWN_MAX; i++) {
        bool known = any.peers[i] >= 0 && any.peers[i] < size;

        at = strlen(text);
        snprintf(text + at, bytes - at, known ? "%s %d" : "%s ?", i ? "," : "", any.peers[i]);
        peer = any.peers[i] == peer && known ? peer : -1;
    }
    at = strlen(text);
    if (any.count > MST_SHOWN_MAX)
        snprintf(text + at, bytes - at, " ...");
    return peer;
}

static muster_seen_call *next_call(reader *reader)
{
    if (reader->call_count == reader->calls_room) {
        int room = reader->calls_room ? 2 * reader->calls_room : 64;
        muster_seen_call *calls = realloc(reader->calls, (size_t)room * sizeof *calls);

        if (!calls)
            return NULL;
        reader->calls = calls;
        reader->calls_room = room;
    }
    return &reader->calls[reader->call_count++];
}

/* Read one after the other while the rank goes on: never more than it has started. */
static uint64_t count_under_way(const mst_journal_lines *journal)
{
    uint64_t done = mst_load64_acq(&journal->done),
             started = mst_load64_acq(&journal->started); /* E34, E32 */

    return started > done ? started - done : 0;
}

/* It is of a group over several hosts. */
static bool is_guest(const mst_cell *cell)
{
    uint64_t any = 0;

    for (int i = 0; i < MUSTER_SEEN_WORDS; i++)
        any |= mst_load64_rlx(&cell->members[i]);
    return any != 0;
}

static void copy_bits(uint64_t *to, const _Atomic uint64_t *from)
{
    static_assert(MUSTER_SEEN_WORDS == MST_RANKS_MAX / 64, "one bit for each rank");
    for (int i = 0; i < MUSTER_SEEN_WORDS; i++)
        to[i] = mst_load64_rlx(&from[i]);
}

/* Of a message the activity says who is at the other end (src/onehost/group/guest.c). */
static void note_awaited(muster_seen_call *call, const mst_cell *cell, const mst_doing *doing)
{
    uint32_t kind = mst_doing_kind(doing);
    uint64_t peer = doing->operation - 1;

    if (kind < MST_DOING_SEND || (kind >= MST_DOING_SPLIT && kind != MST_DOING_PROBE))
        copy_bits(call->awaited, cell->awaits);
    else if (peer < MST_RANKS_MAX)
        call->awaited[peer / 64] = 1ULL << (peer % 64);
}

static muster_status note_call(reader *reader, const mst_rank_entry *entry, const mst_cell *cell,
                               muster_call_class class)
{
    const mst_activity *activity = &cell->activities[class];
    const mst_doing *doing = &activity->doing;
    uint64_t number = mst_load64_acq(&activity->number); /* E18 */
    muster_seen_call *call = next_call(reader);

    if (!call)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for what the ranks are doing");
    *call = (muster_seen_call){ .struct_size = sizeof *call,
                                .rank = mst_arena_rank_in_job(reader->host, entry->rank),
                                .pid = entry->pid,
                                .group = cell->group,
                                .world = cell->group == MST_WORLD_MEMBERSHIP, /* seat 0, cell 0 */
                                .group_rank = (int)cell->group_rank,
                                .group_size = (int)cell->group_size,
                                .call_class = class,
                                .in_call = (number & 1) && !reader->ended,
                                .operation = (number + 1) / 2,
                                .latest = (number + 1) / 2,
                                .peer = -1 };
    mst_group_read_name(cell, call->group_name);
    uint64_t poison = mst_load64_acq(&cell->poison); /* E7 */
    if (mst_poison_is_one(poison)) {
        mst_poison unpacked = mst_poison_unpack(poison);

        call->broken = mst_poison_status(&unpacked);
    }
    if (class == MUSTER_CALL_COLLECTIVE)
        call->under_way =
            is_guest(cell) ? mst_load64_rlx(&cell->journal.under_way) : count_under_way(&cell->journal);
    copy_bits(call->members, cell->members);
    if (!(number & 1))
        return MUSTER_OK;
    describe(activity, call->what, sizeof call->what);
    call->bytes = mst_doing_bytes(doing, call->group_rank, call->group_size);
    if (mst_doing_kind(doing) >= MST_DOING_SEND)
        call->peer = doing->peer; /* a receive from any rank waits for all */
    if (doing->kind & MST_DOING_ANY)
        call->peer = describe_any(activity, call->group_size, call->what, sizeof call->what);
    if (is_guest(cell))
        note_awaited(call, cell, doing);
    if (mst_doing_kind(doing) < MST_DOING_SEND || mst_doing_kind(doing) == MST_DOING_SUBSET)
        call->operation = doing->operation;
    int64_t since_ns = mst_os_now_ns() - activity->entered_ns;
    call->since_ns = since_ns > 0 ? since_ns : 0;
    return MUSTER_OK;
}

/* Reads all groups of a rank. Cells are claimed in order of index, so one that was never used is the last. */
static muster_status read_groups(reader *reader, uint32_t seat, const mst_rank_entry *entry)
{
    mst_cell cell;

    for (uint32_t index = 0; index < MST_CELLS_MAX; index++) {
        if (!read_cell(reader, seat, index, &cell))
            break;
        uint64_t membership = mst_load64_acq(&cell.membership); /* E10 */
        if (membership == 0)
            break;
        if (!(membership & 1) || cell.group_size == 0 || cell.group_size > MST_RANKS_MAX ||
            cell.group_rank >= cell.group_size)
            continue;
        for (int class = 0; class < MST_ACTIVITIES; class ++) {
            bool used = mst_load64_acq(&cell.activities[class].number) != 0; /* E18 */

            if (!used && class != MUSTER_CALL_COLLECTIVE)
                continue;
            muster_status status = note_call(reader, entry, &cell, (muster_call_class) class);
            if (status != MUSTER_OK)
                return status;
        }
    }
    return MUSTER_OK;
}

/* ---- the ranks ---- */

static muster_status read_rank(reader *reader, uint32_t seat)
{
    uint64_t offset = MST_ENTRIES_OFFSET + (uint64_t)seat * sizeof(mst_rank_entry);
    mst_rank_entry entry;

    if (mst_os_object_read(reader->fd, offset, &entry, sizeof entry) != 0)
        return mst_fail(MUSTER_ERR_BAD_ARENA, "the arena ends within the rank entries: it is damaged");
    uint32_t state = mst_load32_acq(&entry.state);                                               /* E1 */
    uint32_t successor = mst_load32_acq(&entry.successor);                                       /* E15 */
    muster_termination termination = mst_termination_unpack(mst_load64_acq(&entry.termination)); /* E8 */
    bool begun = state != MST_RANK_VACANT && state != MST_RANK_JOINING;
    if (seat >= (uint32_t)reader->size && !begun) /* an unused seat */
        return MUSTER_OK;
    bool fits = seat < (uint32_t)reader->size ? entry.rank == seat : entry.rank < (uint32_t)reader->size;
    if (begun && !fits)
        return mst_fail(MUSTER_ERR_BAD_ARENA, "seat %u says that it is rank %u of %d: the arena is damaged",
                        seat, entry.rank, reader->size);
    reader->ranks[reader->rank_count++] = (muster_seen_rank){
        .struct_size = sizeof(muster_seen_rank),
        .rank = mst_arena_rank_in_job(reader->host, seat < (uint32_t)reader->size ? seat : entry.rank),
        .pid = entry.pid,
        .attached = state == MST_RANK_ATTACHED,
        .left = state == MST_RANK_LEFT,
        .replaced = successor != 0 && successor != UINT32_MAX,
        .termination = termination,
    };
    if (state != MST_RANK_ATTACHED && state != MST_RANK_LEFT)
        return MUSTER_OK;
    reader->ended = state == MST_RANK_LEFT || successor != 0 || termination.kind != MUSTER_TERMINATION_NONE;
    return read_groups(reader, seat, &entry);
}

/* ---- the public functions ---- */

/* Makes the public form of an array, in one block: a pointer to each element, and the elements. */
static void *make_pointers(const void *elements, int count, size_t bytes)
{
    const void **pointers = malloc(((size_t)count + 1) * (sizeof *pointers + bytes));

    if (!pointers)
        return NULL;
    char *copies = (char *)(pointers + count);
    if (count > 0)
        memcpy(copies, elements, (size_t)count * bytes);
    for (int i = 0; i < count; i++)
        pointers[i] = copies + (size_t)i * bytes;
    return pointers;
}

static void free_pointers(const muster_inspection *inspection)
{
    free((void *)(uintptr_t)inspection->ranks);
    free((void *)(uintptr_t)inspection->calls);
    free((void *)(uintptr_t)inspection->hosts);
}

void muster_inspection_free(muster_inspection *inspection)
{
    muster_inspection found, none = MUSTER_INSPECTION_INIT;

    if (!inspection ||
        mst_sized_take(&found, sizeof found, inspection, "MUSTER_INSPECTION_INIT") != MUSTER_OK)
        return;
    free_pointers(&found);
    mst_sized_give(inspection, &none, sizeof none);
}

static muster_status read_ranks(reader *reader)
{
    muster_status status = MUSTER_OK;

    reader->ranks = calloc(reader->geometry.seats, sizeof *reader->ranks);
    if (!reader->ranks)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for %u ranks", reader->geometry.seats);
    for (uint32_t seat = 0; status == MUSTER_OK && seat < reader->geometry.seats; seat++)
        status = read_rank(reader, seat);
    return status;
}

/* ---- several hosts ---- */

static muster_status read_host(reader *reader)
{
    reader->host = malloc(sizeof *reader->host);
    if (!reader->host)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for a list of hosts");
    if (!mst_arena_read_host(reader->fd, (uint32_t)reader->size, reader->host))
        return mst_fail(MUSTER_ERR_BAD_ARENA,
                        "what the arena says of its job's hosts makes no sense: it is damaged");
    return MUSTER_OK;
}

static int first_rank(const mst_host *host)
{
    uint32_t rank = 0;

    while (host->job && rank + 1 < host->size && host->hosts[rank] != host->host)
        rank++;
    return (int)rank;
}

/* By rank, in one block with the names themselves. */
static const char *const *make_names(const mst_host *host)
{
    const char **names = malloc(host->size * (sizeof *names + MST_HOST_NAME_BYTES));

    if (!names)
        return NULL;
    char *texts = (char *)(names + host->size);
    memcpy(texts, host->names, host->size * MST_HOST_NAME_BYTES);
    for (uint32_t rank = 0; rank < host->size; rank++)
        names[rank] = texts + (size_t)host->hosts[rank] * MST_HOST_NAME_BYTES;
    return names;
}

muster_status muster_inspect(int fd, muster_inspection *inspection)
{
    muster_inspection found;
    reader reader = { .fd = fd };
    int32_t launcher_pid;

    muster_status status = mst_sized_take(&found, sizeof found, inspection, "MUSTER_INSPECTION_INIT");
    if (status == MUSTER_OK)
        status = mst_arena_identify(fd, &reader.geometry, &launcher_pid);
    if (status != MUSTER_OK)
        return status;
    reader.size = (int)reader.geometry.size;
    status = read_host(&reader);
    if (status == MUSTER_OK)
        status = read_ranks(&reader);
    if (status == MUSTER_OK) {
        found = (muster_inspection){
            .size = reader.host->job ? (int)reader.host->size : reader.size,
            .job = reader.host->job,
            .first_rank = first_rank(reader.host),
            .hosts = reader.host->job ? make_names(reader.host) : NULL,
            .launcher_pid = launcher_pid,
            .rank_count = reader.rank_count,
            .call_count = reader.call_count,
            .ranks = make_pointers(reader.ranks, reader.rank_count, sizeof *reader.ranks),
            .calls = make_pointers(reader.calls, reader.call_count, sizeof *reader.calls),
        };
        if (found.ranks && found.calls && (found.hosts || !found.job))
            mst_sized_give(inspection, &found, sizeof found);
        else {
            status = mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for what the ranks are doing");
            free_pointers(&found);
        }
    }
    free(reader.host);
    free(reader.ranks);
    free(reader.calls);
    return status;
}
