/*
 * Who waits for whom: of what muster_inspect shows, a sentence for each thing that ranks wait for.
 */
#ifndef MUSTER_LOOK_VERDICT_H
#define MUSTER_LOOK_VERDICT_H

#include "muster/muster.h"

enum { VERDICT_BYTES = 600 };

/* "world", or "group {0 2}" by the ranks of the world that are in it. */
void name_group(const muster_inspection *seen, unsigned long long group, char *text, int bytes);

/* The process that is the rank now: one that lives, or the latest; NULL: none has been it. */
const muster_seen_rank *find_rank(const muster_inspection *seen, int rank);

/* The process whose call it is: there always is one. */
const muster_seen_rank *find_process(const muster_inspection *seen, const muster_seen_call *call);

/* Whether the process has ended or left, or another has taken its place: nobody is in its calls any more. */
bool has_ended(const muster_seen_rank *process);

/* What a process does outside of muster: "is running user code", "is stopped (SIGSTOP)", "was killed by ...".
 * NULL: one that has not come. */
void describe_process(const muster_inspection *seen, const muster_seen_rank *process, char *text, int bytes);

/* Whether the rank waits in that call for a rank that has not entered it, and moves no data. */
bool call_waits(const muster_inspection *seen, const muster_seen_call *call);

/* One sentence about the n-th thing that ranks wait for; false: there are no more. */
bool find_verdict(const muster_inspection *seen, int n, char *text);

/* Whether others wait for the process while it waits for no one: the cause of a hang. */
bool is_waited_for(const muster_inspection *seen, const muster_seen_rank *process);

#endif
