/* A wire and its frames, for alone.h. */
#include "tests/harness/alone.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

alone_process alone;

/* ---- frames ---- */

static bool is_allowed(mst_frames *frames)
{
    (void)frames;
    return !alone.may_not_move;
}

static bool send(mst_frames *frames, int to, const void *bytes, size_t count, int *slot, char *why)
{
    (void)frames, (void)count;
    *slot = to;
    if (to == alone.unreachable) {
        snprintf(why, MST_FRAMES_WHY_BYTES, "the cable is gone");
        return false;
    }
    alone.sent_to[alone.sent_count % ALONE_FRAMES_MAX] = to;
    memcpy(&alone.sent[alone.sent_count++ % ALONE_FRAMES_MAX], bytes, sizeof alone.sent[0]);
    return true;
}

static bool is_sent(mst_frames *frames, int slot, bool *over, char *why)
{
    (void)frames, (void)why;
    *over = slot != alone.silent;
    return true;
}

static bool take(mst_frames *frames, int *from, const void **bytes, size_t *count, char *why)
{
    (void)frames;
    if (alone.cannot_receive) {
        snprintf(why, MST_FRAMES_WHY_BYTES, "the card is gone");
        return false;
    }
    const alone_frame *next = alone.taken < alone.coming_count ? &alone.coming[alone.taken++] : NULL;
    *bytes = next ? next->bytes : NULL;
    *from = next ? next->from : -1;
    *count = next ? next->count : 0;
    return true;
}

/* ---- the process ---- */

void alone_begin(int rank, int size)
{
    static const mst_frames_methods methods = {
        is_allowed, send, is_sent, take, "this thread may not move frames", "this rank has left the job"
    };
    static const unsigned char here = 1;
    static const muster_group like = { .here = &here };
    static const char *const where[] = { "host a", "host b", "host c" };
    static mst_frames frames;

    ck_assert_int_le(size, 3);
    frames = (mst_frames){ &methods, rank, size, where };
    memset(&alone, 0, sizeof alone);
    alone.unreachable = alone.silent = -1;
    alone.wire = mst_wire_create(&frames);
    ck_assert_ptr_nonnull(alone.wire);
    ck_assert_int_eq(mst_wire_whole(alone.wire, &like, &alone.whole), MUSTER_OK);
}

void alone_end(void)
{
    mst_wire_destroy(alone.wire);
}

void alone_come(int from, mst_wire_head head, const void *data, size_t bytes)
{
    alone_frame *next = &alone.coming[alone.coming_count++];

    ck_assert_int_lt(alone.coming_count, ALONE_FRAMES_MAX);
    next->from = from;
    next->count = sizeof head + bytes;
    memcpy(next->bytes, &head, sizeof head);
    if (bytes)
        memcpy(next->bytes + sizeof head, data, bytes);
}

mst_wire_head alone_head(int from, mst_wire_kind kind)
{
    return (mst_wire_head){
        .kind = kind, .source = from, .group = alone.whole->number, .dtype = MUSTER_UINT8, .tag = 1
    };
}

int alone_count(mst_wire_kind kind, int to)
{
    int count = 0;

    for (int i = 0; i < alone.sent_count; i++)
        count += alone.sent[i].kind == kind && (to < 0 || alone.sent_to[i] == to);
    return count;
}
