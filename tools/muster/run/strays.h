/* Strays: what a rank has started and let go of, in a process group of its own. They end with the job. */
#ifndef MUSTER_CLI_STRAYS_H
#define MUSTER_CLI_STRAYS_H

/* Kills all children of this process, and those that they leave to it, which must be their subreaper. */
void strays_end(void);

#endif
