/* What is written after `muster run`, as options. Also fuzzed by itself. */
#ifndef MUSTER_RUN_RUN_OPTIONS_H
#define MUSTER_RUN_RUN_OPTIONS_H

#include "muster/muster.h"
#include "tools/muster/run/programs.h"

enum { RUN_ENV_MAX = 256 };

typedef enum run_on_hang { RUN_HANG_NOTHING, RUN_HANG_REPORT, RUN_HANG_STACKS, RUN_HANG_ABORT } run_on_hang;
typedef enum run_bind { RUN_BIND_NONE, RUN_BIND_CORE, RUN_BIND_NUMA } run_bind;
typedef enum run_prefix { RUN_PREFIX_RANK, RUN_PREFIX_NONE } run_prefix;
typedef enum run_color { RUN_COLOR_AUTO, RUN_COLOR_ALWAYS, RUN_COLOR_NEVER } run_color;
typedef enum run_stdin { RUN_STDIN_FIRST, RUN_STDIN_RANK, RUN_STDIN_ALL, RUN_STDIN_NONE } run_stdin;

typedef struct run_options {
    muster_launch_config launch; /* its command is that of the first program */
    run_programs programs;
    run_on_hang on_hang;
    int64_t hang_after_ns; /* 0: 30 s */
    /* the programs */
    bool arena_malloc;
    const char *topology; /* pretended, "4x8"; NULL: that of the machine */
    bool mlx, torch;      /* what else finds its ranks in the environment */
    const char *env[RUN_ENV_MAX];
    int env_count;
    const char *folder; /* to run in; NULL: here */
    run_bind bind;
    bool report_bindings;
    bool keep_detached; /* what ranks have started and detached may outlive the job */
    int gdb_rank;       /* -1: none */
    const char *wrap;   /* a command that runs each rank's; NULL: none */
    /* their output and input */
    run_prefix prefix;
    bool timestamps;
    run_color color;
    const char *log_folder; /* NULL: none */
    bool all_shown, shown[RUN_RANKS_MAX];
    run_stdin input;   /* FIRST: rank 0, which a terminal is not given to */
    int input_rank;    /* RANK: which, also of a terminal */
    const char *trace; /* the file; NULL: none */
    int trace_limit;
    bool post_mortem;
} run_options;

/* OPTIONS_PARSED, with the options filled in; else an exit status, as of parse_options. */
int parse_run(int argc, char **argv, run_options *options);

#endif
