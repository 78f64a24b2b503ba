/*
 * The public collectives: each describes its request. src/pure/collective.h defines what they are (spans of
 * buffers, root, in place); the backend carries them out: src/onehost/coll/.
 */
#include "src/api/request.h"

muster_status muster_barrier(muster_group *group)
{
    return mst_request_run_equal(group, MST_BARRIER, NULL, NULL, 0, MUSTER_BOOL, MUSTER_SUM, 0);
}

muster_status muster_barrier_start(muster_group *group, muster_request *request)
{
    mst_request asked = { .collective = MST_BARRIER };

    return mst_request_start(group, &asked, request);
}

muster_status muster_all_reduce(const void *in, void *out, size_t count, muster_dtype dtype, muster_op op,
                                muster_group *group)
{
    return mst_request_run_equal(group, MST_ALL_REDUCE, in, out, count, dtype, op, 0);
}

muster_status muster_all_sum(const void *in, void *out, size_t count, muster_dtype dtype, muster_group *group)
{
    return muster_all_reduce(in, out, count, dtype, MUSTER_SUM, group);
}

muster_status muster_all_max(const void *in, void *out, size_t count, muster_dtype dtype, muster_group *group)
{
    return muster_all_reduce(in, out, count, dtype, MUSTER_MAX, group);
}

muster_status muster_all_min(const void *in, void *out, size_t count, muster_dtype dtype, muster_group *group)
{
    return muster_all_reduce(in, out, count, dtype, MUSTER_MIN, group);
}

muster_status muster_all_reduce_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                      muster_op op, muster_group *group, muster_request *request)
{
    mst_request asked = {
        .collective = MST_ALL_REDUCE, .in = in, .out = out, .count = count, .dtype = dtype, .op = op
    };

    return mst_request_start(group, &asked, request);
}

muster_status muster_all_sum_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                   muster_group *group, muster_request *request)
{
    return muster_all_reduce_start(in, out, count, dtype, MUSTER_SUM, group, request);
}

muster_status muster_all_max_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                   muster_group *group, muster_request *request)
{
    return muster_all_reduce_start(in, out, count, dtype, MUSTER_MAX, group, request);
}

muster_status muster_all_min_start(const void *in, void *out, size_t count, muster_dtype dtype,
                                   muster_group *group, muster_request *request)
{
    return muster_all_reduce_start(in, out, count, dtype, MUSTER_MIN, group, request);
}

muster_status muster_all_gather(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                muster_group *group)
{
    return mst_request_run_equal(group, MST_ALL_GATHER, in, out, count_per_rank, dtype, MUSTER_SUM, 0);
}

muster_status muster_all_gather_start(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                      muster_group *group, muster_request *request)
{
    mst_request asked = {
        .collective = MST_ALL_GATHER, .in = in, .out = out, .count = count_per_rank, .dtype = dtype
    };

    return mst_request_start(group, &asked, request);
}

muster_status muster_reduce_scatter(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                    muster_op op, muster_group *group)
{
    return mst_request_run_equal(group, MST_REDUCE_SCATTER, in, out, count_per_rank, dtype, op, 0);
}

muster_status muster_sum_scatter(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                 muster_group *group)
{
    return muster_reduce_scatter(in, out, count_per_rank, dtype, MUSTER_SUM, group);
}

muster_status muster_reduce_scatter_start(const void *in, void *out, size_t count_per_rank,
                                          muster_dtype dtype, muster_op op, muster_group *group,
                                          muster_request *request)
{
    mst_request asked = { .collective = MST_REDUCE_SCATTER,
                          .in = in,
                          .out = out,
                          .count = count_per_rank,
                          .dtype = dtype,
                          .op = op };

    return mst_request_start(group, &asked, request);
}

muster_status muster_sum_scatter_start(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                       muster_group *group, muster_request *request)
{
    return muster_reduce_scatter_start(in, out, count_per_rank, dtype, MUSTER_SUM, group, request);
}

muster_status muster_broadcast(const void *in, void *out, size_t count, muster_dtype dtype, int root,
                               muster_group *group)
{
    return mst_request_run_equal(group, MST_BROADCAST, in, out, count, dtype, MUSTER_SUM, root);
}

muster_status muster_broadcast_start(const void *in, void *out, size_t count, muster_dtype dtype, int root,
                                     muster_group *group, muster_request *request)
{
    mst_request asked = {
        .collective = MST_BROADCAST, .in = in, .out = out, .count = count, .dtype = dtype, .root = root
    };

    return mst_request_start(group, &asked, request);
}

muster_status muster_reduce(const void *in, void *out, size_t count, muster_dtype dtype, muster_op op,
                            int root, muster_group *group)
{
    return mst_request_run_equal(group, MST_REDUCE, in, out, count, dtype, op, root);
}

muster_status muster_reduce_start(const void *in, void *out, size_t count, muster_dtype dtype, muster_op op,
                                  int root, muster_group *group, muster_request *request)
{
    mst_request asked = {
        .collective = MST_REDUCE, .in = in, .out = out, .count = count, .dtype = dtype, .op = op, .root = root
    };

    return mst_request_start(group, &asked, request);
}

muster_status muster_gather(const void *in, void *out, size_t count_per_rank, muster_dtype dtype, int root,
                            muster_group *group)
{
    return mst_request_run_equal(group, MST_GATHER, in, out, count_per_rank, dtype, MUSTER_SUM, root);
}

muster_status muster_gather_start(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                  int root, muster_group *group, muster_request *request)
{
    mst_request asked = {
        .collective = MST_GATHER, .in = in, .out = out, .count = count_per_rank, .dtype = dtype, .root = root
    };

    return mst_request_start(group, &asked, request);
}

muster_status muster_scatter(const void *in, void *out, size_t count_per_rank, muster_dtype dtype, int root,
                             muster_group *group)
{
    return mst_request_run_equal(group, MST_SCATTER, in, out, count_per_rank, dtype, MUSTER_SUM, root);
}

muster_status muster_scatter_start(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                   int root, muster_group *group, muster_request *request)
{
    mst_request asked = {
        .collective = MST_SCATTER, .in = in, .out = out, .count = count_per_rank, .dtype = dtype, .root = root
    };

    return mst_request_start(group, &asked, request);
}

muster_status muster_all_to_all(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                muster_group *group)
{
    return mst_request_run_equal(group, MST_ALL_TO_ALL, in, out, count_per_rank, dtype, MUSTER_SUM, 0);
}

muster_status muster_all_to_all_start(const void *in, void *out, size_t count_per_rank, muster_dtype dtype,
                                      muster_group *group, muster_request *request)
{
    mst_request asked = {
        .collective = MST_ALL_TO_ALL, .in = in, .out = out, .count = count_per_rank, .dtype = dtype
    };

    return mst_request_start(group, &asked, request);
}

/* ---- a count for each rank ---- */

static mst_request all_gatherv_of(const void *in, size_t count, void *out, const size_t *counts,
                                  const size_t *displacements, muster_dtype dtype)
{
    return (mst_request){ .collective = MST_ALL_GATHERV,
                          .in = in,
                          .out = out,
                          .count = count,
                          .out_blocks = { counts, displacements },
                          .dtype = dtype };
}

muster_status muster_all_gatherv(const void *in, size_t count, void *out, const size_t *counts,
                                 const size_t *displacements, muster_dtype dtype, muster_group *group)
{
    mst_request asked = all_gatherv_of(in, count, out, counts, displacements, dtype);

    return mst_request_run(group, &asked);
}

muster_status muster_all_gatherv_start(const void *in, size_t count, void *out, const size_t *counts,
                                       const size_t *displacements, muster_dtype dtype, muster_group *group,
                                       muster_request *request)
{
    mst_request asked = all_gatherv_of(in, count, out, counts, displacements, dtype);

    return mst_request_start(group, &asked, request);
}

static mst_request gatherv_of(const void *in, size_t count, void *out, const size_t *counts,
                              const size_t *displacements, muster_dtype dtype, int root)
{
    return (mst_request){ .collective = MST_GATHERV,
                          .in = in,
                          .out = out,
                          .count = count,
                          .out_blocks = { counts, displacements },
                          .dtype = dtype,
                          .root = root };
}

muster_status muster_gatherv(const void *in, size_t count, void *out, const size_t *counts,
                             const size_t *displacements, muster_dtype dtype, int root, muster_group *group)
{
    mst_request asked = gatherv_of(in, count, out, counts, displacements, dtype, root);

    return mst_request_run(group, &asked);
}

muster_status muster_gatherv_start(const void *in, size_t count, void *out, const size_t *counts,
                                   const size_t *displacements, muster_dtype dtype, int root,
                                   muster_group *group, muster_request *request)
{
    mst_request asked = gatherv_of(in, count, out, counts, displacements, dtype, root);

    return mst_request_start(group, &asked, request);
}

static mst_request scatterv_of(const void *in, const size_t *counts, const size_t *displacements, void *out,
                               size_t count, muster_dtype dtype, int root)
{
    return (mst_request){ .collective = MST_SCATTERV,
                          .in = in,
                          .out = out,
                          .count = count,
                          .in_blocks = { counts, displacements },
                          .dtype = dtype,
                          .root = root };
}

muster_status muster_scatterv(const void *in, const size_t *counts, const size_t *displacements, void *out,
                              size_t count, muster_dtype dtype, int root, muster_group *group)
{
    mst_request asked = scatterv_of(in, counts, displacements, out, count, dtype, root);

    return mst_request_run(group, &asked);
}

muster_status muster_scatterv_start(const void *in, const size_t *counts, const size_t *displacements,
                                    void *out, size_t count, muster_dtype dtype, int root,
                                    muster_group *group, muster_request *request)
{
    mst_request asked = scatterv_of(in, counts, displacements, out, count, dtype, root);

    return mst_request_start(group, &asked, request);
}

static mst_request all_to_allv_of(const void *in, const size_t *in_counts, const size_t *in_displacements,
                                  void *out, const size_t *out_counts, const size_t *out_displacements,
                                  muster_dtype dtype)
{
    return (mst_request){ .collective = MST_ALL_TO_ALLV,
                          .in = in,
                          .out = out,
                          .in_blocks = { in_counts, in_displacements },
                          .out_blocks = { out_counts, out_displacements },
                          .dtype = dtype };
}

muster_status muster_all_to_allv(const void *in, const size_t *in_counts, const size_t *in_displacements,
                                 void *out, const size_t *out_counts, const size_t *out_displacements,
                                 muster_dtype dtype, muster_group *group)
{
    mst_request asked =
        all_to_allv_of(in, in_counts, in_displacements, out, out_counts, out_displacements, dtype);

    return mst_request_run(group, &asked);
}

muster_status muster_all_to_allv_start(const void *in, const size_t *in_counts,
                                       const size_t *in_displacements, void *out, const size_t *out_counts,
                                       const size_t *out_displacements, muster_dtype dtype,
                                       muster_group *group, muster_request *request)
{
    mst_request asked =
        all_to_allv_of(in, in_counts, in_displacements, out, out_counts, out_displacements, dtype);

    return mst_request_start(group, &asked, request);
}

static mst_request reduce_scatterv_of(const void *in, const size_t *counts, void *out, muster_dtype dtype,
                                      muster_op op, const muster_group *group)
{
    return (mst_request){ .collective = MST_REDUCE_SCATTERV,
                          .in = in,
                          .out = out,
                          .count = counts && group ? counts[group->rank] : 0,
                          .in_blocks = { counts, NULL },
                          .dtype = dtype,
                          .op = op };
}

muster_status muster_reduce_scatterv(const void *in, const size_t *counts, void *out, muster_dtype dtype,
                                     muster_op op, muster_group *group)
{
    mst_request asked = reduce_scatterv_of(in, counts, out, dtype, op, group);

    return mst_request_run(group, &asked);
}

muster_status muster_reduce_scatterv_start(const void *in, const size_t *counts, void *out,
                                           muster_dtype dtype, muster_op op, muster_group *group,
                                           muster_request *request)
{
    mst_request asked = reduce_scatterv_of(in, counts, out, dtype, op, group);

    return mst_request_start(group, &asked, request);
}

/* ---- scans ---- */

muster_status muster_scan(const void *in, void *out, size_t count, muster_dtype dtype, muster_op op,
                          muster_group *group)
{
    return mst_request_run_equal(group, MST_SCAN, in, out, count, dtype, op, 0);
}

muster_status muster_exscan(const void *in, void *out, size_t count, muster_dtype dtype, muster_op op,
                            muster_group *group)
{
    return mst_request_run_equal(group, MST_EXSCAN, in, out, count, dtype, op, 0);
}

muster_status muster_scan_start(const void *in, void *out, size_t count, muster_dtype dtype, muster_op op,
                                muster_group *group, muster_request *request)
{
    mst_request asked = {
        .collective = MST_SCAN, .in = in, .out = out, .count = count, .dtype = dtype, .op = op
    };

    return mst_request_start(group, &asked, request);
}

muster_status muster_exscan_start(const void *in, void *out, size_t count, muster_dtype dtype, muster_op op,
                                  muster_group *group, muster_request *request)
{
    mst_request asked = {
        .collective = MST_EXSCAN, .in = in, .out = out, .count = count, .dtype = dtype, .op = op
    };

    return mst_request_start(group, &asked, request);
}
