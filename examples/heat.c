/*
 * Heat in a square plate, cut into a grid of tiles, one for each rank. Before each step each rank exchanges
 * the edges of its tile with its four neighbours: started messages, of which those beyond the plate's edge do
 * nothing. muster run -n 4 -- heat
 *
 * Whatever the number of ranks, each cell has the same bits.
 */
#include <muster/muster.h>
#include <stdio.h>
#include <stdlib.h>

enum { CELLS = 120, STEPS = 300 };        /* of a side; and in time */
enum { NORTH, SOUTH, WEST, EAST, SIDES }; /* neighbours, and the tags of what comes from the opposite side */

/* A rank's part of the plate, with a border of what its neighbours have. */
typedef struct tile {
    int rows, columns, from_row, from_column;
    int neighbours[SIDES];
    double *now, *next, *columns_out, *columns_in;
} tile;

static void check(muster_status status)
{
    if (status == MUSTER_OK)
        return;
    fprintf(stderr, "heat: %s\n", muster_error_detail());
    exit(1);
}

/* Row and column 0 are the tile's first ones, -1 the border's. */
static double *cell(const tile *tile, double *cells, int row, int column)
{
    return &cells[(row + 1) * (tile->columns + 2) + column + 1];
}

static void cut(tile *tile, const muster_group *world)
{
    int rank = muster_group_rank(world), dims[2] = { 0, 0 }, at[2];

    check(muster_grid_dims(muster_group_size(world), 2, dims));
    check(muster_grid_coordinates(dims, 2, rank, at));
    for (int side = 0; side < SIDES; side++)
        tile->neighbours[side] = muster_grid_neighbour(dims, 2, rank, side / 2, side % 2 ? 1 : -1, false);
    tile->from_row = CELLS * at[0] / dims[0];
    tile->from_column = CELLS * at[1] / dims[1];
    tile->rows = CELLS * (at[0] + 1) / dims[0] - tile->from_row;
    tile->columns = CELLS * (at[1] + 1) / dims[1] - tile->from_column;

    size_t cells = (size_t)(tile->rows + 2) * (size_t)(tile->columns + 2);
    tile->now = calloc(cells, sizeof(double));
    tile->next = calloc(cells, sizeof(double));
    tile->columns_out = calloc(2 * (size_t)tile->rows, sizeof(double));
    tile->columns_in = calloc(2 * (size_t)tile->rows, sizeof(double));
    if (!tile->now || !tile->next || !tile->columns_out || !tile->columns_in)
        abort();
}

/* One corner is hot. */
static void warm(const tile *tile)
{
    for (int row = 0; row < tile->rows; row++)
        for (int column = 0; column < tile->columns; column++)
            *cell(tile, tile->now, row, column) =
                tile->from_row + row < CELLS / 4 && tile->from_column + column < CELLS / 4 ? 100 : 20;
}

/* Rows lie in one part; columns are copied. Where there is no neighbour the border keeps its zeros. */
static void exchange(const tile *tile, muster_group *world)
{
    size_t rows = (size_t)tile->rows, columns = (size_t)tile->columns;
    double *in[SIDES] = { cell(tile, tile->now, -1, 0), cell(tile, tile->now, tile->rows, 0),
                          tile->columns_in, tile->columns_in + rows };
    double *out[SIDES] = { cell(tile, tile->now, 0, 0), cell(tile, tile->now, tile->rows - 1, 0),
                           tile->columns_out, tile->columns_out + rows };
    muster_request requests[2 * SIDES];

    for (int row = 0; row < tile->rows; row++) {
        out[WEST][row] = *cell(tile, tile->now, row, 0);
        out[EAST][row] = *cell(tile, tile->now, row, tile->columns - 1);
    }
    for (int side = 0; side < SIDES; side++) {
        size_t count = side < WEST ? columns : rows;

        check(muster_recv_start(in[side], count, MUSTER_FLOAT64, tile->neighbours[side], side, world, NULL,
                                &requests[side]));
        check(muster_send_start(out[side], count, MUSTER_FLOAT64, tile->neighbours[side], side ^ 1, world,
                                &requests[SIDES + side]));
    }
    check(muster_wait_all(requests, 2 * SIDES, 0));
    for (int row = 0; row < tile->rows; row++) {
        *cell(tile, tile->now, row, -1) = in[WEST][row];
        *cell(tile, tile->now, row, tile->columns) = in[EAST][row];
    }
}

static void step(tile *tile)
{
    for (int row = 0; row < tile->rows; row++)
        for (int column = 0; column < tile->columns; column++) {
            double here = *cell(tile, tile->now, row, column);

            *cell(tile, tile->next, row, column) =
                here +
                0.2 * (*cell(tile, tile->now, row - 1, column) + *cell(tile, tile->now, row + 1, column) +
                       *cell(tile, tile->now, row, column - 1) + *cell(tile, tile->now, row, column + 1) -
                       4 * here);
        }
    double *before = tile->now;
    tile->now = tile->next;
    tile->next = before;
}

static void tell(const tile *tile, muster_group *world)
{
    double warmest = 0;
    int32_t warm = 0;

    for (int row = 0; row < tile->rows; row++)
        for (int column = 0; column < tile->columns; column++) {
            double here = *cell(tile, tile->now, row, column);

            warmest = here > warmest ? here : warmest;
            warm += here > 30;
        }
    check(muster_all_max(&warmest, &warmest, 1, MUSTER_FLOAT64, world));
    check(muster_all_sum(&warm, &warm, 1, MUSTER_INT32, world));
    if (muster_group_rank(world) == 0)
        printf("after %d steps %d cells are warmer than 30 degrees, the warmest has %.17g\n", STEPS, warm,
               warmest);
}

int main(void)
{
    muster_group *world;
    tile tile;

    check(muster_init(false, NULL, &world));
    cut(&tile, world);
    warm(&tile);
    for (int i = 0; i < STEPS; i++) {
        exchange(&tile, world);
        step(&tile);
    }
    tell(&tile, world);
    free(tile.now);
    free(tile.next);
    free(tile.columns_out);
    free(tile.columns_in);
    muster_group_free(world);
    return 0;
}
