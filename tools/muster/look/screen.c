/* The terminal's size and its escapes, for screen.h. */
#define _GNU_SOURCE /* struct winsize */
#include "tools/muster/look/screen.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool has_cursor(void)
{
    const char *name = getenv("TERM");

    return name && name[0] && strcmp(name, "dumb") != 0;
}

/* How many bytes of the line are so many characters of UTF-8; all, where it has fewer. */
static int cut(const char *line, int bytes, int columns)
{
    int at = 0;

    for (int shown = 0; at < bytes; at++) {
        if (((unsigned char)line[at] & 0xc0) != 0x80 && ++shown > columns)
            break;
    }
    return at;
}

static int count_lines(const char *text)
{
    int count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

/* The last row stays empty, since a newline in it would move all others up. */
static void show(const char *text, int rows, int columns)
{
    int lines = count_lines(text), shown = lines < rows ? lines : rows - 2;

    for (int i = 0; i < shown; i++) {
        int bytes = (int)strcspn(text, "\n");

        printf("%.*s\n", cut(text, bytes, columns), text);
        text += bytes + 1;
    }
    if (shown < lines)
        printf("and %d more lines\n", lines - shown);
}

void screen_show(const char *text, bool only)
{
    struct winsize size;

    if (only || !isatty(STDOUT_FILENO)) {
        fputs(text, stdout);
    } else {
        bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 2;

        if (has_cursor())
            fputs("\033[H\033[J", stdout);
        show(text, known && has_cursor() ? size.ws_row : INT_MAX, known ? size.ws_col : INT_MAX);
    }
    fflush(stdout);
}
