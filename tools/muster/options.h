/*
 * Command lines as tables: what an option is called, what its value is taken by, and what to say of a value
 * that makes no sense. Parsing is getopt_long's.
 */
#ifndef MUSTER_CLI_OPTIONS_H
#define MUSTER_CLI_OPTIONS_H

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

/* OPTIONS_PARSED, with getopt's optind at the first argument; else an exit status, with help printed where it
 * was asked for, or what was wrong on stderr. */
int parse_options(const cli_syntax *syntax, int argc, char **argv, void *into);

/* Which of the words, ended by NULL, `text` is; -1: none. */
int parse_choice(const char *text, const char *const *words);

/* A whole number within the bounds; false: the text is none. */
bool parse_number(const char *text, long min, long max, int *number);

#endif
