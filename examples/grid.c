/*
 * A two-dimensional grid of ranks: one split makes a group of each row, another one of each column.
 * Each rank holds one number; row sums and column sums come from the small groups, and their totals
 * must agree with the sum over the world.
 */
#include <muster/muster.h>
#include <stdio.h>
#include <stdlib.h>

static void check(muster_status status, const char *what)
{
    if (status == MUSTER_OK)
        return;
    fprintf(stderr, "grid: %s: %s\n", what, muster_error_detail());
    exit(1);
}

/* The most square grid that has exactly `size` places. */
static int columns_for(int size)
{
    int columns = 1;

    for (int i = 1; i * i <= size; i++)
        if (size % i == 0)
            columns = size / i;
    return columns;
}

int main(void)
{
    muster_group *world, *row, *column;

    check(muster_init(false, NULL, &world), "init");
    int rank = muster_group_rank(world), columns = columns_for(muster_group_size(world));
    check(muster_group_split(world, rank / columns, -1, &row), "split into rows");
    check(muster_group_split(world, rank % columns, -1, &column), "split into columns");

    double value = rank + 1, row_sum, column_sum, total, all;
    check(muster_all_sum(&value, &row_sum, 1, MUSTER_FLOAT64, row), "sum over the row");
    check(muster_all_sum(&value, &column_sum, 1, MUSTER_FLOAT64, column), "sum over the column");
    check(muster_all_sum(&row_sum, &total, 1, MUSTER_FLOAT64, column), "sum of the row sums");
    check(muster_all_sum(&value, &all, 1, MUSTER_FLOAT64, world), "sum over the world");
    printf("rank %d at row %d, column %d: row sum %g, column sum %g, total %g\n", rank, rank / columns,
           rank % columns, row_sum, column_sum, total);

    muster_group_free(row);
    muster_group_free(column);
    muster_group_free(world);
    return total == all ? 0 : 1;
}
