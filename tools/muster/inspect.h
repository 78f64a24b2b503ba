/*
 * Who waits for whom, made of what muster_inspect shows: the groups, and for each a sentence.
 */
#ifndef MUSTER_CLI_INSPECT_H
#define MUSTER_CLI_INSPECT_H

#include <stdio.h>

#include "tools/muster/jobs.h"

enum { VERDICT_BYTES = 600 };

/* "world", or "group {0 2}" by the ranks of the world that are in it. */
void name_group(const muster_inspection *seen, unsigned long long group, char *text, int bytes);

/* What a rank does outside of muster: "is running user code", "is stopped (SIGSTOP)", "was killed by ...". */
void describe_rank(const muster_inspection *seen, int rank, char *text, int bytes);

/* Whether the rank waits in that call for a rank that has not entered it, and moves no data. */
bool call_waits(const muster_inspection *seen, const muster_seen_call *call);

/* A line for each call that a rank is in, or, where it is in none, what else it does. */
void print_ranks(const muster_inspection *seen, FILE *to);

/* One sentence about the n-th thing that ranks wait for; false: there are no more. */
bool find_verdict(const muster_inspection *seen, int n, char *text);

/* Prints which groups are broken, all verdicts, and their causes; returns how many verdicts there are. */
int print_verdicts(const muster_inspection *seen, FILE *to);

/* Where each living rank is in its own code, by gdb. */
void print_stacks(const muster_inspection *seen, FILE *to);

#endif
