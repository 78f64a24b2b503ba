/*
 * Prints what muster_inspect shows: what each rank does, which groups are broken, and who waits for whom
 * (verdict.h).
 */
#ifndef MUSTER_LOOK_INSPECT_H
#define MUSTER_LOOK_INSPECT_H

#include <stdio.h>

#include "muster/muster.h"

/* A line for each call that a rank is in, or, where it is in none, what else it does. */
void print_ranks(const muster_inspection *seen, FILE *to);

/* When all is over: takes the calls that ranks ended in for calls that they are in. */
void take_last_calls(muster_inspection *seen);

/* Prints which groups are broken, all verdicts, and their causes; returns how many verdicts there are. */
int print_verdicts(const muster_inspection *seen, FILE *to);

/* Where each living rank is in its own code, by gdb. */
void print_stacks(const muster_inspection *seen, FILE *to);

#endif
