/*
 * A task farm: rank 0 hands out tasks, one by one, and whoever is done gets the next, however long each
 * takes. The work here is to count prime numbers, a thousand numbers at a time:
 *     muster run -n 4 -- farm
 *
 * A message's tag says what it is; the muster_message of a receive says from which rank it came.
 */
#include <muster/muster.h>
#include <stdio.h>
#include <stdlib.h>

#define TASKS 200
#define NUMBERS 1000        /* of one task */
enum { RESULT, TASK, END }; /* tags */

static void check(muster_status status)
{
    if (status == MUSTER_OK)
        return;
    fprintf(stderr, "farm: %s\n", muster_error_detail());
    exit(1);
}

static int32_t work(int32_t task)
{
    int32_t primes = 0;
    for (int32_t n = task * NUMBERS; n < (task + 1) * NUMBERS; n++) {
        int32_t divisor = 2;
        while (divisor * divisor <= n && n % divisor != 0)
            divisor++;
        primes += n >= 2 && divisor * divisor > n;
    }
    return primes;
}

/* Each result is answered by another task, or by the end. */
static void hand_out(muster_group *world)
{
    int32_t task = 0, result = 0, primes = 0;

    for (int working = muster_group_size(world) - 1; working > 0;) {
        muster_message came = MUSTER_MESSAGE_INIT;
        check(muster_recv(&result, 1, MUSTER_INT32, MUSTER_ANY_SOURCE, RESULT, world, &came));
        primes += result;
        bool more = task < TASKS;
        check(muster_send(&task, more, MUSTER_INT32, came.source, more ? TASK : END, world));
        task += more;
        working -= !more;
    }
    for (; task < TASKS; task++) /* without workers */
        primes += work(task);
    printf("%d prime numbers below %d\n", primes, TASKS * NUMBERS);
}

static void serve(muster_group *world)
{
    int32_t task, result = 0; /* the first result only asks for a task */
    muster_message came = MUSTER_MESSAGE_INIT;

    for (;;) {
        check(muster_send(&result, 1, MUSTER_INT32, 0, RESULT, world));
        check(muster_recv(&task, 1, MUSTER_INT32, 0, MUSTER_ANY_TAG, world, &came));
        if (came.tag == END)
            return;
        result = work(task);
    }
}

int main(void)
{
    muster_group *world;

    check(muster_init(false, NULL, &world));
    if (muster_group_rank(world) == 0)
        hand_out(world);
    else
        serve(world);
    muster_group_free(world);
    return 0;
}
