/* Frames by a plug-in. */
#ifndef MST_MPI_FRAMES_H
#define MST_MPI_FRAMES_H

#include "src/mpi/plugin.h"
#include "src/wire/frames.h"

typedef struct mst_mpi_frames {
    mst_frames base;
    const mst_plugin *plugin;
} mst_mpi_frames;

/* where: of mst_frames. */
void mst_mpi_frames_open(mst_mpi_frames *frames, const mst_plugin *plugin, const mst_plugin_seat *seat,
                         const char *const *where);

#endif
