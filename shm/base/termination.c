/* Describes how a rank ended: one function for all messages, of the library and of programs. */
#include <stdio.h>
#include <string.h>

#include "muster/muster.h"

void muster_termination_describe(muster_termination termination, char *text, size_t bytes)
{
    switch (termination.kind) {
    case MUSTER_TERMINATION_NONE:
        snprintf(text, bytes, "has not ended, as far as is known");
        return;
    case MUSTER_TERMINATION_EXITED:
        snprintf(text, bytes, "exited with status %d", termination.code);
        return;
    case MUSTER_TERMINATION_SIGNALED:
        snprintf(text, bytes, "was killed by signal %d (%s)", termination.code, strsignal(termination.code));
        return;
    case MUSTER_TERMINATION_EXECED:
        snprintf(text, bytes, "executed another program (exec)");
        return;
    case MUSTER_TERMINATION_CRASHED:
        snprintf(text, bytes, "crashed and is writing its core file");
        return;
    case MUSTER_TERMINATION_VANISHED:
        break;
    }
    snprintf(text, bytes, "is gone (how it ended is not known)"); /* also for a kind of a later version */
}
