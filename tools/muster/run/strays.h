/*
 * Strays: what a rank has started and let go of, in a process group of its own. They end with the job.
 * Children that this process had before (exec keeps them) are none: a shell's "sleep 60 & exec muster run",
 * and what reads our output in "exec muster run > >(tee log)".
 */
#ifndef MUSTER_RUN_STRAYS_H
#define MUSTER_RUN_STRAYS_H

/* Before the first fork: our children of now, and theirs, which they may leave to us, are spared. */
void strays_begin(void);

/* Kills all other children of this process, and those that they leave to it, which must be their subreaper.
 */
void strays_end(void);

#endif
