/* Describes and signals processes, for process.h. */
#include "src/launch/process.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

bool mst_rank_failed(const mst_rank_process *process)
{
    return process->termination.kind != MUSTER_TERMINATION_EXITED || process->termination.code != 0;
}

bool mst_rank_could_not_start(const mst_rank_process *process)
{
    return process->complaint[0] && process->termination.kind != MUSTER_TERMINATION_SIGNALED;
}

void mst_rank_describe(const mst_rank_process *process, char *text, size_t bytes)
{
    muster_termination_kind kind = process->termination.kind;
    char ended[120];

    if (mst_rank_could_not_start(process)) {
        snprintf(text, bytes, "%s", process->complaint);
        return;
    }
    if (kind == MUSTER_TERMINATION_NONE || kind == MUSTER_TERMINATION_VANISHED) {
        snprintf(text, bytes,
                 process->pid == 0 ? "rank %d could not be started"
                                   : "rank %d ended, and its status was reaped elsewhere in this program",
                 process->rank);
        return;
    }
    muster_termination_describe(process->termination, ended, sizeof ended);
    snprintf(text, bytes, "rank %d %s%s", process->rank, ended,
             process->dumped_core     ? ", core dumped"
             : process->out_of_memory ? "; its memory control group was out of memory"
                                      : "");
}

void mst_rank_signal(const mst_rank_process *process, int signal)
{
    if (!process->running)
        return;
    if (process->own_group)
        kill(-process->pid, signal);
    if (!process->own_group || getpgid(process->pid) != process->pid) /* a rank may leave its process group */
        kill(process->pid, signal);
}
