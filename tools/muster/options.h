/*
 * Command lines as tables. A row says what an option is called, which values it takes, where its value is
 * stored, and what an error message says is expected. getopt_long splits the command line.
 */
#ifndef MUSTER_OPTIONS_H
#define MUSTER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum cli_kind {
    CLI_FLAG,    /* no value; sets a bool */
    CLI_SECONDS, /* above 0; an int64_t of nanoseconds */
    CLI_COUNT,   /* 1 to 1024; an int */
    CLI_TEXT,    /* not empty; a const char *, which points into argv */
    CLI_CHOICE,  /* one of `words`; its place among them, an enum */
    CLI_OWN      /* whatever `take` makes of it */
} cli_kind;

typedef struct cli_option {
    const char *name; /* without the dashes */
    char letter;      /* the short form; 0: none */
    cli_kind kind;
    size_t offset;                              /* of its value, in what is filled in; not CLI_OWN */
    const char *expected;                       /* what its value is; not CLI_FLAG and CLI_CHOICE */
    const char *const *words;                   /* CLI_CHOICE: ends with NULL */
    bool (*take)(void *into, const char *text); /* CLI_OWN; false: the text is no such value */
} cli_option;

typedef struct cli_syntax {
    const char *command;
    const char *help;
    const cli_option *options;
    size_t count;
    bool ends_at_argument; /* what follows the first argument is somebody else's */
} cli_syntax;

#define OPTIONS_PARSED (-1)

/* Returns OPTIONS_PARSED, with getopt's optind at the first argument. Otherwise it has printed the help, or
 * what was wrong to stderr, and returns the exit status. */
int parse_options(const cli_syntax *syntax, int argc, char **argv, void *into);

/* Returns the index of `text` in the words, which end with NULL; -1: it is none of them. */
int parse_choice(const char *text, const char *const *words);

/* Converts a whole number from min to max; false: the text is no such number. */
bool parse_number(const char *text, long min, long max, int *number);

#endif
