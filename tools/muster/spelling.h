/*
 * Which word was meant by a misspelt one: for what is said of options, values, variables and subcommands.
 */
#ifndef MUSTER_SPELLING_H
#define MUSTER_SPELLING_H

typedef struct cli_spelling {
    const char *text;
    const char *nearest; /* of the words tried so far; NULL: none is near enough */
    int distance;        /* of `nearest` */
} cli_spelling;

cli_spelling spelling_of(const char *text);
void spelling_try(cli_spelling *spelling, const char *word);

#endif
