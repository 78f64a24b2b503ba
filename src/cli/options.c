/* Parsing by the tables of options.h. */
#define _GNU_SOURCE /* getopt_long */
#include "src/cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/commands.h"

enum { OPTIONS_MAX = 40, BY_NAME = 256 /* and up: options by their place in the table */ };

static void describe(const cli_syntax *syntax, struct option *described, char *letters)
{
    size_t used = 0;

    if (syntax->ends_at_argument)
        letters[used++] = '+';
    letters[used++] = 'h';
    for (size_t i = 0; i < syntax->count; i++) {
        const cli_option *option = &syntax->options[i];

        described[i] =
            (struct option){ option->name, option->kind == CLI_FLAG ? no_argument : required_argument, NULL,
                             BY_NAME + (int)i };
        if (!option->letter)
            continue;
        letters[used++] = option->letter;
        if (option->kind != CLI_FLAG)
            letters[used++] = ':';
    }
    described[syntax->count] = (struct option){ "help", no_argument, NULL, 'h' };
    described[syntax->count + 1] = (struct option){ 0 };
    letters[used] = '\0';
}

static const cli_option *find(const cli_syntax *syntax, int found)
{
    if (found >= BY_NAME)
        return &syntax->options[found - BY_NAME];
    for (size_t i = 0; i < syntax->count; i++)
        if (syntax->options[i].letter == found)
            return &syntax->options[i];
    return NULL;
}

static bool parse_seconds(const char *text, int64_t *ns)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds > 0) || seconds > 3e9)
        return false;
    *ns = (int64_t)(seconds * 1e9);
    return *ns > 0;
}

static bool take_choice(const cli_option *option, void *at, const char *text)
{
    int choice = parse_choice(text, option->words);

    if (choice >= 0)
        memcpy(at, &choice, sizeof choice); /* enums are ints here */
    return choice >= 0;
}

static bool take(const cli_option *option, void *into, const char *text)
{
    void *at = (char *)into + option->offset;

    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)at = true;
        return true;
    case CLI_SECONDS:
        return parse_seconds(text, at);
    case CLI_COUNT:
        return parse_number(text, 1, 1024, at);
    case CLI_TEXT:
        *(const char **)at = text;
        return *text != '\0';
    case CLI_CHOICE:
        return take_choice(option, at, text);
    default:
        return option->take(into, text);
    }
}

int parse_options(const cli_syntax *syntax, int argc, char **argv, void *into)
{
    struct option described[OPTIONS_MAX + 2];
    char letters[2 * OPTIONS_MAX + 3];
    int found;

    describe(syntax, described, letters);
    opterr = 0;
    optind = 0; /* the GNU way to begin anew */
    while ((found = getopt_long(argc, argv, letters, described, NULL)) != -1) {
        if (found == 'h')
            return fputs(syntax->help, stdout) < 0 || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
        const cli_option *option = found == '?' ? NULL : find(syntax, found);
        if (!option)
            return usage_error(syntax->command, "option \"%s\" is not known, or lacks its value",
                               argv[optind - 1]);
        if (!take(option, into, optarg))
            return usage_error(syntax->command, "--%s %s: expected %s", option->name, optarg,
                               option->expected);
    }
    return OPTIONS_PARSED;
}

int parse_choice(const char *text, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    return -1;
}

bool parse_number(const char *text, long min, long max, int *number)
{
    char *end;

    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end != '\0' || value < min || value > max)
        return false;
    *number = (int)value;
    return true;
}
