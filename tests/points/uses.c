/* The parts of uses.h. */
#include "tests/points/uses.h"

#include <string.h>

enum { PART = 4096, LEFT = 64, PASSING = 80 }; /* a message of one entry; together more than a ring takes */

/* Messages that nobody wants yet fill the ring, and those that are wanted pass it. */
static muster_status pass_a_ring(muster_group *world, const float *x, float *y, int next, int before)
{
    muster_status status = MUSTER_OK;

    for (int i = 0; i < LEFT && status == MUSTER_OK; i++)
        status = muster_send(x, PART, MUSTER_FLOAT32, next, 0, world);
    for (int i = 0; i < PASSING && status == MUSTER_OK; i++)
        status = muster_sendrecv(x, PART, next, 1, y, PART, before, 1, MUSTER_FLOAT32, world, NULL);
    for (int i = 0; i < LEFT && status == MUSTER_OK; i++)
        status = muster_recv(y, PART, MUSTER_FLOAT32, before, 0, world, NULL);
    return status;
}

muster_status use_messages(muster_group *world, float *x, float *y)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);
    int next = (rank + 1) % size, before = (rank + size - 1) % size;

    muster_status status = muster_sendrecv(x, 4, next, 0, y, 4, before, 0, MUSTER_FLOAT32, world, NULL);
    for (int i = 0; i < 8 && status == MUSTER_OK; i++) /* beyond what a ring frees at a time */
        status = muster_sendrecv(x, FLOATS, next, 0, y, FLOATS, before, 0, MUSTER_FLOAT32, world, NULL);
    if (status == MUSTER_OK && y[FLOATS - 1] != (float)(1 + before))
        status = MUSTER_ERR_BAD_ARENA;
    return status == MUSTER_OK ? pass_a_ring(world, x, y, next, before) : status;
}

muster_status use_started(muster_group *world, const float *x, float *y)
{
    muster_request request = MUSTER_REQUEST_INIT;
    muster_status status = MUSTER_OK;

    for (int i = 0; i < 3 && status == MUSTER_OK; i++) { /* each needs a segment of its journal */
        status = muster_all_reduce_start(x, y, FLOATS, MUSTER_FLOAT32, MUSTER_MAX, world, &request);
        if (status == MUSTER_OK)
            status = muster_wait(&request, 0);
    }
    if (status == MUSTER_OK && y[7] != SIZE)
        status = MUSTER_ERR_BAD_ARENA;
    return status;
}

/* A subset of all in another order, which claims its staging there, and a copy of it. */
static muster_status use_subset(muster_group *world, const float *x, float *y)
{
    static const int ranks[SIZE] = { 2, 0, 1 };
    muster_group *subset, *copy;

    muster_status status = muster_group_subset(world, ranks, SIZE, &subset);
    if (status != MUSTER_OK)
        return status;
    status = muster_all_sum(x, y, FLOATS, MUSTER_FLOAT32, subset);
    if (status == MUSTER_OK && y[FLOATS - 1] != (float)(SIZE * (SIZE + 1)) / 2)
        status = MUSTER_ERR_BAD_ARENA;
    if (status == MUSTER_OK)
        status = muster_group_dup(subset, &copy);
    muster_group_free(subset);
    if (status != MUSTER_OK)
        return status;
    status = muster_barrier(copy);
    muster_group_free(copy);
    return status;
}

muster_status use_child(muster_group *world, const float *x, float *y)
{
    muster_group *child;
    int32_t one = 1, sum = 0;

    muster_status status = muster_group_split(world, 0, -1, &child);
    if (status != MUSTER_OK)
        return status;
    status = muster_group_set_name(child, "child");
    if (status == MUSTER_OK)
        status = muster_all_sum(&one, &sum, 1, MUSTER_INT32, child);
    if (status == MUSTER_OK && sum != SIZE)
        status = MUSTER_ERR_BAD_ARENA;
    muster_group_free(child);
    return status == MUSTER_OK ? use_subset(world, x, y) : status;
}

/* Only here is anything as large as one_copy_bytes_min. */
muster_status use_one_copy(muster_group *world)
{
    static char in[ONE_COPY_BYTES], out[SIZE * ONE_COPY_BYTES];
    int rank = muster_group_rank(world), next = (rank + 1) % SIZE, before = (rank + SIZE - 1) % SIZE;

    memset(in, 1 + rank, sizeof in);
    muster_status status = muster_all_gather(in, out, sizeof in, MUSTER_INT8, world);
    if (status == MUSTER_OK && out[(size_t)before * sizeof in + sizeof in - 1] != 1 + before)
        status = MUSTER_ERR_BAD_ARENA;
    if (status == MUSTER_OK)
        status = muster_sendrecv(in, sizeof in, next, 0, out, sizeof in, before, 0, MUSTER_INT8, world, NULL);
    if (status == MUSTER_OK && out[sizeof in - 1] != 1 + before)
        status = MUSTER_ERR_BAD_ARENA;
    return status;
}

/* A put in a ring, then all is read-only; what is there stays, whoever dies. */
muster_status use_share(muster_group *world, bool may_fail)
{
    int rank = muster_group_rank(world), next = (rank + 1) % SIZE, before = (rank + SIZE - 1) % SIZE;
    muster_share *share;
    int *mine, *theirs;

    muster_status status = muster_share_create(world, sizeof *mine, &share);
    if (status != MUSTER_OK)
        return status;
    if (muster_share_at(share, rank, (void **)&mine, NULL) != MUSTER_OK ||
        muster_share_at(share, next, (void **)&theirs, NULL) != MUSTER_OK)
        status = MUSTER_ERR_BAD_ARENA;
    if (status == MUSTER_OK)
        status = muster_put_signal(share, next, 0, &rank, sizeof rank, 1);
    if (status == MUSTER_OK && *theirs != rank)
        status = MUSTER_ERR_BAD_ARENA;
    if (status == MUSTER_OK)
        status = muster_wait_signal(share, before, 1, 1, 0);
    if (status == MUSTER_OK && *mine != before)
        status = MUSTER_ERR_BAD_ARENA;
    if (status == MUSTER_OK)
        status = muster_share_sync(share);
    if (status == MUSTER_OK)
        status = muster_share_seal(share);
    if (may_fail && status == MUSTER_ERR_SYSTEM) { /* on all ranks, and nothing is sealed */
        *mine = 0;
        status = MUSTER_OK;
    }
    muster_share_free(share);
    return status;
}

/* More entries than there are places, so that the writer waits, too. */
muster_status use_queue(muster_group *world)
{
    enum { WRITER = 1, ENTRIES = 2, PUSHES = 6 };
    muster_queue *queue;
    size_t bytes;

    muster_status status = muster_queue_create(world, WRITER, ENTRIES, sizeof(int), &queue);
    if (status != MUSTER_OK)
        return status;
    for (int i = 0; i < PUSHES && status == MUSTER_OK; i++) {
        int entry = i;

        status = muster_group_rank(world) == WRITER
                     ? muster_queue_push(queue, &entry, sizeof entry, 0)
                     : muster_queue_pop(queue, &entry, sizeof entry, 0, &bytes);
        if (status == MUSTER_OK && entry != i)
            status = MUSTER_ERR_BAD_ARENA;
    }
    muster_queue_free(queue);
    return status;
}
