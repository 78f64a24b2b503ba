/*
 * Who waits for whom, made of what muster_inspect shows: the groups, and for each a sentence.
 */
#ifndef MUSTER_CLI_INSPECT_H
#define MUSTER_CLI_INSPECT_H

#include "src/cli/jobs.h"

enum { VERDICT_BYTES = 600 };

/* "world", or "group {0 2}" by the ranks of the world that are in it. */
void name_group(const muster_inspection *seen, unsigned long long group, char *text, int bytes);

/* What a rank does outside of muster: "is running user code", "is stopped (SIGSTOP)", "was killed by ...". */
void describe_rank(const muster_inspection *seen, int rank, char *text, int bytes);

/* Whether somebody waits for the rank in vain, which itself waits for nobody: what a hang comes down to. */
bool is_waited_for(const muster_inspection *seen, int rank);

/* One sentence about the n-th thing that ranks wait for; false: there are no more. */
bool find_verdict(const muster_inspection *seen, int n, char *text);

#endif
