/* Passes frames to a plug-in, for frames.h. */
#include "src/mpi/frames.h"

#include <assert.h>

static_assert(MST_FRAMES_WHY_BYTES >= MST_PLUGIN_WHY_BYTES, "a plug-in's reasons fit");

static const mst_plugin *plugin_of(mst_frames *frames)
{
    return ((mst_mpi_frames *)frames)->plugin;
}

static bool is_allowed(mst_frames *frames)
{
    return plugin_of(frames)->is_allowed();
}

static bool send_frame(mst_frames *frames, int to, const void *bytes, size_t count, int *slot, char *why)
{
    return plugin_of(frames)->send(to, bytes, count, slot, why);
}

static bool is_sent(mst_frames *frames, int slot, bool *sent, char *why)
{
    return plugin_of(frames)->is_sent(slot, sent, why);
}

static bool take(mst_frames *frames, int *from, const void **bytes, size_t *count, char *why)
{
    return plugin_of(frames)->take(from, bytes, count, why);
}

void mst_mpi_frames_open(mst_mpi_frames *frames, const mst_plugin *plugin, const mst_plugin_seat *seat,
                         const char *const *where)
{
    static const mst_frames_methods methods = {
        .is_allowed = is_allowed,
        .send = send_frame,
        .is_sent = is_sent,
        .take = take,
        .refusal = "the program has begun MPI for its main thread only, and this is another, which cannot "
                   "reach other hosts; give MPI_Init_thread MPI_THREAD_SERIALIZED or more",
        .farewell = "this rank has left the job, as its program ends, or has ended MPI, and reaches no other "
                    "host any more"
    };

    frames->base =
        (mst_frames){ .methods = &methods, .rank = seat->rank, .size = seat->size, .where = where };
    frames->plugin = plugin;
}
