/*
 * Which plug-in serves this process, where it is, and whether it can be used beside what is loaded already.
 *
 * Which: the one that MUSTER_MPI names; else that for an MPI which the program has begun; else that for the
 * launcher's MPI, by the variables that the launcher sets; else any.
 *
 * Where: beside the library, in places that were fixed when it was built, or where MUSTER_MPI says. Nothing
 * depends on the current directory or on how the program was called, and in places that the user has not
 * named a file counts only if it and its folder are of this user, the superuser, or the library's owner, and
 * not everybody may write to them. Folders above are not looked at, nor who else is of a group that may
 * write.
 */
#ifndef MST_MPI_FIND_H
#define MST_MPI_FIND_H

#include "muster/muster.h"
#include "src/mpi/plugin.h"
#include "src/mpi/view.h"

/* Whether this process, which a launcher has started, has begun an MPI. */
bool mst_mpi_program_has_begun(void);

/* Whether there is a plug-in that would be loaded. Loads nothing. */
bool mst_plugin_is_there(void);

/* UNAVAILABLE: there is none, or another MPI is in the way. A plug-in stays loaded. */
muster_status mst_plugin_load(const mst_plugin **plugin);

/* That MPI says that this process is alone. UNAVAILABLE: its launcher says that it is not, so the plug-in is
 * for another MPI; then each rank would be alone, and most programs would not notice. */
muster_status mst_plugin_refuse_alone(const mst_plugin *plugin);

#endif
