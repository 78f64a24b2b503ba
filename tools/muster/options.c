/* Parsing by the tables of options.h. */
#define _GNU_SOURCE /* getopt_long */
#include "tools/muster/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/muster/commands.h"
#include "tools/muster/spelling.h"

enum { OPTIONS_MAX = 40, BY_NAME = 256 /* and up: options by their place in the table */ };

static void describe(const cli_syntax *syntax, struct option *described, char *letters)
{
    size_t used = 0;

    if (syntax->ends_at_argument)
        letters[used++] = '+';
    letters[used++] = ':'; /* tell what lacks its value from what is not known */
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

/* ---- what is wrong with a command line ---- */

/* "a, b or c" */
static void list_words(const char *const *words, char *text, size_t bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; words[i] && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s%s",
                                 i == 0         ? ""
                                 : words[i + 1] ? ", "
                                                : " or ",
                                 words[i]);
}

static const char *expected_of(const cli_option *option, char *text, size_t bytes)
{
    if (option->kind != CLI_CHOICE)
        return option->expected;
    list_words(option->words, text, bytes);
    return text;
}

static int complain_of_value(const cli_syntax *syntax, const cli_option *option, const char *value)
{
    char words[200];
    const char *expected = expected_of(option, words, sizeof words);

    if (!value || !*value)
        return usage_error(syntax->command, "--%s lacks its value; expected %s", option->name, expected);
    cli_spelling spelling = spelling_of(value);
    for (int i = 0; option->kind == CLI_CHOICE && option->words[i]; i++)
        spelling_try(&spelling, option->words[i]);
    if (spelling.nearest)
        return usage_error(syntax->command, "--%s %s: expected %s; did you mean %s?", option->name, value,
                           expected, spelling.nearest);
    return usage_error(syntax->command, "--%s %s: expected %s", option->name, value, expected);
}

/* The word in which getopt has found what is no option: in a cluster of letters it has not gone past it. */
static const char *find_unknown(char **argv)
{
    const char *before = argv[optind - 1];
    bool is_past = before[0] == '-' && (before[1] == '-' || before[strlen(before) - 1] == optopt);

    return is_past || !argv[optind] ? before : argv[optind];
}

static int complain_of_unknown(const cli_syntax *syntax, const char *word)
{
    int name_bytes = (int)strcspn(word, "=");
    char name[64], meant[200] = "";
    const char *candidates[OPTIONS_MAX + 1];
    size_t count = 0;

    snprintf(name, sizeof name, "%.*s", name_bytes - (word[1] == '-' ? 2 : 1),
             word + (word[1] == '-' ? 2 : 1));
    cli_spelling spelling = spelling_of(name);
    spelling_try(&spelling, "help");
    for (size_t i = 0; i < syntax->count; i++) {
        spelling_try(&spelling, syntax->options[i].name);
        if (word[1] == '-' && strncmp(syntax->options[i].name, name, strlen(name)) == 0)
            candidates[count++] = syntax->options[i].name;
    }
    candidates[count] = NULL;
    if (count > 1) {
        list_words(candidates, meant, sizeof meant);
        return usage_error(syntax->command, "%.*s is not clear: is it %s?", name_bytes, word, meant);
    }
    if (spelling.nearest)
        return usage_error(syntax->command, "there is no option %.*s; did you mean --%s?", name_bytes, word,
                           spelling.nearest);
    return usage_error(syntax->command, "there is no option %.*s", name_bytes, word);
}

/* getopt's optopt: 0 for a long option that is none, else which option it is. */
static int complain(const cli_syntax *syntax, int found, char **argv)
{
    const cli_option *option = optopt ? find(syntax, optopt) : NULL;

    if (found == ':' && option)
        return complain_of_value(syntax, option, NULL);
    if (option || optopt == 'h')
        return usage_error(syntax->command, "--%s takes no value", option ? option->name : "help");
    return complain_of_unknown(syntax, find_unknown(argv));
}

/* ---- parsing ---- */

/* MPI's "-np 4": the letter, as getopt sees it, with the value "p". A text may be anything, but what looks
 * like an option is one, before which the value was left out. NULL: there is no value. */
static const char *value_of(const cli_option *option, char **argv)
{
    const char *value = optarg;

    if (option->letter == 'n' && strcmp(argv[optind - 1], "-np") == 0)
        value = argv[optind] ? argv[optind++] : NULL;
    return value && option->kind == CLI_TEXT && strncmp(value, "--", 2) == 0 ? NULL : value;
}

int parse_options(const cli_syntax *syntax, int argc, char **argv, void *into)
{
    struct option described[OPTIONS_MAX + 2];
    char letters[2 * OPTIONS_MAX + 4];
    int found;

    describe(syntax, described, letters);
    opterr = 0;
    optind = 0; /* the GNU way to begin anew */
    while ((found = getopt_long(argc, argv, letters, described, NULL)) != -1) {
        if (found == 'h') {
            fputs(syntax->help, stdout);
            return EXIT_SUCCESS;
        }
        if (found == '?' || found == ':')
            return complain(syntax, found, argv);
        const cli_option *option = find(syntax, found);
        const char *value = option->kind == CLI_FLAG ? "" : value_of(option, argv);
        if (!value || !take(option, into, value))
            return complain_of_value(syntax, option, value);
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
