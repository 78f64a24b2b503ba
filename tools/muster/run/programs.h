/*
 * Several programs in one job, as MPI's users write them: `-n 1 a : -n 3 b`. Ranks are numbered through.
 */
#ifndef MUSTER_RUN_PROGRAMS_H
#define MUSTER_RUN_PROGRAMS_H

enum { RUN_RANKS_MAX = 1024, RUN_PROGRAMS_MAX = 64 };

typedef struct run_program {
    char **command;  /* points into argv; ends with NULL */
    int first, size; /* its ranks */
} run_program;

typedef struct run_programs {
    run_program list[RUN_PROGRAMS_MAX];
    int count, size; /* of ranks: all together */
} run_programs;

/* Cuts what follows the options of `muster run`; the first program has `size` ranks. A ":" with -n N behind
 * it begins another program; any other is an argument. OPTIONS_PARSED, or an exit status, as of
 * parse_options. */
int programs_cut(char **argv, int size, run_programs *programs);

const run_program *programs_of_rank(const run_programs *programs, int rank);

#endif
