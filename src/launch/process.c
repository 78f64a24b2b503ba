/* Words and signals of process.h. */
#include "src/launch/process.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool mst_rank_failed(const mst_rank_process *process)
{
    return process->termination.kind != MUSTER_TERMINATION_EXITED || process->termination.code != 0;
}

void mst_rank_describe(const mst_rank_process *process, char *text, size_t bytes)
{
    muster_termination termination = process->termination;

    if (termination.kind == MUSTER_TERMINATION_SIGNALED)
        snprintf(text, bytes, "rank %d was killed by signal %d (%s)%s", process->rank, termination.code,
                 strsignal(termination.code),
                 process->dumped_core     ? ", core dumped"
                 : process->out_of_memory ? "; its memory control group was out of memory"
                                          : "");
    else if (termination.kind == MUSTER_TERMINATION_EXITED)
        snprintf(text, bytes, "rank %d exited with status %d", process->rank, termination.code);
    else if (process->pid == 0)
        snprintf(text, bytes, "rank %d could not be started", process->rank);
    else
        snprintf(text, bytes, "rank %d ended, and its status went to somebody else", process->rank);
}

void mst_rank_signal(const mst_rank_process *process, int signal)
{
    if (!process->running)
        return;
    if (process->own_group)
        kill(-process->pid, signal);
    if (!process->own_group || getpgid(process->pid) != process->pid) /* a rank may leave its group */
        kill(process->pid, signal);
}
