/*
 * Finding the jobs of this user: processes that have an arena open, by what /proc shows of their descriptors.
 */
#ifndef MUSTER_LOOK_JOBS_H
#define MUSTER_LOOK_JOBS_H

#include <stdbool.h>

#include "muster/muster.h"

enum { JOBS_MAX = 256 };

typedef struct job {
    unsigned long device, inode; /* of the arena */
    char path[64];               /* /proc/PID/fd/N of somebody who has it open */
    int pid;                     /* that one; the launcher where there is one */
    muster_inspection seen;
} job;

/* Whether processes can be looked at; false: stderr says why not, for `muster COMMAND`. */
bool jobs_can_be_seen(const char *command);

/* Finds all jobs that can be looked at; returns how many. jobs_free frees them. */
int jobs_find(job *jobs, int room);
void jobs_free(job *jobs, int count);

/* The job of which the process is a rank or the launcher; false: none that can be looked at. */
bool job_of_process(int pid, job *found);

/* The job that a user has named by a pid or "/job", under which its ranks meet, or have met; or, `which`
 * NULL, the only one there is. False: stderr says why not, for `muster COMMAND`. */
bool job_choose(const char *command, const char *which, job *found);

/* Opens the arena at a job's path for reading; below 0: errno says why not. By now it may be anything. */
int job_open(const char *path);

/* A process's command line, in at most `bytes`; "" when it is gone. */
void read_command(int pid, char *text, int bytes);

/* How a process is at present, R, S, D, T, Z as ps shows it; 0: gone. */
char read_state(int pid);

#endif
