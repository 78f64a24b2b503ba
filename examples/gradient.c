/*
 * Conjugate gradients: solves A x = b, where row i of A is 2.1 x[i] - x[i-1] - x[i+1], cut into a part for
 * each rank. What a part needs of its neighbours comes while its inner rows are computed, and a dot
 * product's sum over all ranks while x is updated. muster run -n 4 -- gradient
 */
#include <muster/muster.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 4000, STEPS_MAX = 2000 };

/* A rank's part. The direction has an element of each neighbour before and behind it. */
typedef struct part {
    int rows, before, after; /* ranks; MUSTER_RANK_NONE at the ends */
    double *x, *residual, *product, *direction;
} part;

static void check(muster_status status)
{
    if (status == MUSTER_OK)
        return;
    fprintf(stderr, "gradient: %s\n", muster_error_detail());
    exit(1);
}

static void cut(part *part, const muster_group *world)
{
    int rank = muster_group_rank(world), size = muster_group_size(world);

    part->rows = ROWS * (rank + 1) / size - ROWS * rank / size;
    part->before = rank > 0 ? rank - 1 : MUSTER_RANK_NONE;
    part->after = rank + 1 < size ? rank + 1 : MUSTER_RANK_NONE;
    double *all = calloc(4 * (size_t)part->rows + 2, sizeof *all);
    if (!all)
        abort();
    part->x = all;
    part->residual = all + part->rows;
    part->product = all + 2 * part->rows;
    part->direction = all + 3 * part->rows + 1;
    for (int i = 0; i < part->rows; i++)
        part->residual[i] = part->direction[i] = 1; /* b is 1 everywhere, and x begins as 0 */
}

static void multiply_row(const part *part, int i)
{
    const double *d = part->direction;

    part->product[i] = 2.1 * d[i] - d[i - 1] - d[i + 1];
}

/* Returns direction x A x direction. */
static double multiply(const part *part, muster_group *world)
{
    muster_request ends[4];
    double *d = part->direction, sum = 0;
    int last = part->rows - 1;

    check(muster_recv_start(&d[-1], 1, MUSTER_FLOAT64, part->before, 0, world, NULL, &ends[0]));
    check(muster_recv_start(&d[last + 1], 1, MUSTER_FLOAT64, part->after, 0, world, NULL, &ends[1]));
    check(muster_send_start(&d[0], 1, MUSTER_FLOAT64, part->before, 0, world, &ends[2]));
    check(muster_send_start(&d[last], 1, MUSTER_FLOAT64, part->after, 0, world, &ends[3]));
    for (int i = 1; i < last; i++)
        multiply_row(part, i);
    check(muster_wait_all(ends, 4, 0));
    multiply_row(part, 0);
    multiply_row(part, last);
    for (int i = 0; i <= last; i++)
        sum += d[i] * part->product[i];
    check(muster_all_sum(&sum, &sum, 1, MUSTER_FLOAT64, world));
    return sum;
}

/* Goes one step in the direction, and chooses the next one. Returns the square of the residual, which was
 * `square`. */
static double step(const part *part, double square, muster_group *world)
{
    double length = square / multiply(part, world), sum = 0, next;
    muster_request request;

    for (int i = 0; i < part->rows; i++) {
        part->residual[i] -= length * part->product[i];
        sum += part->residual[i] * part->residual[i];
    }
    check(muster_all_sum_start(&sum, &next, 1, MUSTER_FLOAT64, world, &request));
    for (int i = 0; i < part->rows; i++)
        part->x[i] += length * part->direction[i];
    check(muster_wait(&request, 0));
    for (int i = 0; i < part->rows; i++)
        part->direction[i] = part->residual[i] + next / square * part->direction[i];
    return next;
}

int main(void)
{
    muster_group *world;
    part part;
    double square = ROWS, ends[2] = { 0 }, sum = 0;

    check(muster_init(false, NULL, &world));
    cut(&part, world);
    for (int i = 0; i < STEPS_MAX && square > 1e-20 * ROWS; i++)
        square = step(&part, square, world);
    for (int i = 0; i < part.rows; i++)
        sum += part.x[i];
    if (part.before == MUSTER_RANK_NONE)
        ends[0] = part.x[0];
    if (part.after == MUSTER_RANK_NONE)
        ends[1] = part.x[part.rows - 1];
    check(muster_all_sum(ends, ends, 2, MUSTER_FLOAT64, world));
    check(muster_all_sum(&sum, &sum, 1, MUSTER_FLOAT64, world));
    if (muster_group_rank(world) == 0)
        printf("%s: x is %.6f at its ends, %.6f, and %.6f in the mean\n",
               square > 1e-20 * ROWS ? "not solved" : "solved", ends[0], ends[1], sum / ROWS);
    free(part.x);
    muster_group_free(world);
    return 0;
}
