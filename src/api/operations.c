/*
 * The operations that the program has made: muster_op_create and the like.
 *
 * This file has process-wide state, since a muster_op is a number that holds for the process: a table of the
 * operations, with a lock. The number contains the place in the table and how often the place was used
 * before, so that the number of a freed operation stays invalid. An operation lives until it is freed and no
 * call uses it any more. A call that was started notes its use in the group's list `kept`.
 */
#include "src/api/operations.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "src/api/enter.h"
#include "src/pure/dtype.h"

#define PLACES 1024
#define USES (MUSTER_OP_CREATED / PLACES) /* after which the numbers of a place come again */

/* As requests have it, at the beginning. */
typedef struct made_op {
    mst_made_op op;
    unsigned users; /* the table is one */
} made_op;

/* A started operation that uses a made one; number 0: it is about to start. */
struct mst_kept_op {
    struct mst_kept_op *next;
    const mst_made_op *made;
    uint64_t number;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    made_op *made; /* NULL: the place is free */
    unsigned use;
} places[PLACES];

/* Another thread may have had the lock when this process was forked. */
static void unlock_in_child(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

static void __attribute__((constructor)) look_after_children(void)
{
    pthread_atfork(NULL, NULL, unlock_in_child);
}

/* ---- the table, with the lock ---- */

static muster_op number_of(size_t place)
{
    return (muster_op)(MUSTER_OP_CREATED + places[place].use * PLACES + place);
}

/* The place of a number; PLACES: there is no such operation. */
static size_t find(muster_op op)
{
    size_t place = (unsigned)op % PLACES;

    return (int)op >= MUSTER_OP_CREATED && places[place].made && number_of(place) == op ? place : PLACES;
}

static void let_go(made_op *made)
{
    if (--made->users == 0)
        free(made);
}

static bool put(made_op *made, muster_op *op)
{
    size_t place = 0;

    while (place < PLACES && places[place].made)
        place++;
    if (place == PLACES)
        return false;
    places[place].made = made;
    *op = number_of(place);
    return true;
}

/* ---- making and freeing ---- */

static muster_status enter(const mst_made_op *op, muster_op *number)
{
    made_op *made = malloc(sizeof *made);

    if (!made)
        return mst_fail(MUSTER_ERR_NO_MEMORY, "no memory for an operation");
    *made = (made_op){ *op, 1 };
    pthread_mutex_lock(&lock);
    bool there_is_room = put(made, number);
    pthread_mutex_unlock(&lock);
    if (there_is_room)
        return MUSTER_OK;
    free(made);
    return mst_fail(MUSTER_ERR_NO_SPACE,
                    "this process has made %d operations, which is the most; free those "
                    "that are not needed any more with muster_op_free",
                    PLACES);
}

muster_status muster_op_create(const char *name, muster_op_fn fn, void *arg, bool commutative, muster_op *op)
{
    size_t length = name ? strlen(name) : 0;
    mst_made_op made = { .fn = fn, .arg = arg };

    (void)commutative; /* applied in rank order, whatever it says */
    if (length == 0 || length >= sizeof made.name)
        return mst_fail(MUSTER_ERR_INVALID, "op_create: the name has %zu bytes; expected 1 to %zu", length,
                        sizeof made.name - 1);
    unsigned control = mst_plain_control(name);
    if (control)
        return mst_fail(MUSTER_ERR_INVALID, "op_create: the name has a control character, 0x%02x", control);
    if (!fn)
        return mst_fail(MUSTER_ERR_INVALID, "op_create: the function of \"%s\" is NULL", name);
    muster_status status = mst_check_place(op, "op");
    memcpy(made.name, name, length);
    return status == MUSTER_OK ? enter(&made, op) : status;
}

muster_status muster_op_create_premul_sum(const void *scalar, muster_dtype dtype, muster_op *op)
{
    mst_made_op made = { .name = "premul_sum", .dtype = dtype };
    char name[MST_DTYPE_NAME_BYTES];

    mst_dtype_describe(dtype, name);
    if (!mst_premul_works(dtype))
        return mst_fail(MUSTER_ERR_INVALID,
                        "op_create_premul_sum: %s has no products; expected a dtype of %s", name,
                        mst_op_dtypes((muster_op)MST_OP_PREMUL_SUM));
    if (!scalar)
        return mst_fail(MUSTER_ERR_INVALID, "op_create_premul_sum: the factor is NULL; expected one %s",
                        name);
    muster_status status = mst_check_place(op, "op");
    memcpy(made.factor, scalar, muster_dtype_size(dtype));
    return status == MUSTER_OK ? enter(&made, op) : status;
}

muster_status muster_op_free(muster_op op)
{
    pthread_mutex_lock(&lock);
    size_t place = find(op);
    if (place < PLACES) {
        let_go(places[place].made);
        places[place].made = NULL;
        places[place].use = (places[place].use + 1) % USES;
    }
    pthread_mutex_unlock(&lock);
    if (place < PLACES)
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_INVALID,
                    "%d is not an operation of muster_op_create: it was never made, or has been freed",
                    (int)op);
}

/* ---- using ---- */

const mst_made_op *mst_op_take(muster_op op)
{
    made_op *made = NULL;

    pthread_mutex_lock(&lock);
    size_t place = find(op);
    if (place < PLACES) {
        made = places[place].made;
        made->users++;
    }
    pthread_mutex_unlock(&lock);
    return made ? &made->op : NULL;
}

void mst_op_release(const mst_made_op *made)
{
    pthread_mutex_lock(&lock);
    let_go((made_op *)(uintptr_t)made);
    pthread_mutex_unlock(&lock);
}

bool mst_op_prepare(muster_group *group, const mst_made_op *made)
{
    struct mst_kept_op *kept = malloc(sizeof *kept);

    if (!kept)
        return false;
    *kept = (struct mst_kept_op){ group->kept, made, 0 };
    group->kept = kept;
    group->starts_functions |= made->fn != NULL;
    return true;
}

void mst_op_keep(muster_group *group, uint64_t number)
{
    group->kept->number = number;
}

void mst_op_let_go(muster_group *group, uint64_t number)
{
    struct mst_kept_op **at = &group->kept, *kept;

    while (*at && (*at)->number != number)
        at = &(*at)->next;
    kept = *at;
    if (!kept)
        return;
    *at = kept->next;
    mst_op_release(kept->made);
    free(kept);
}

muster_status mst_op_outcome(const muster_group *group)
{
    return group->backend->status(group) == MUSTER_ERR_ABORTED ? MUSTER_ERR_ABORTED : MUSTER_OK;
}
