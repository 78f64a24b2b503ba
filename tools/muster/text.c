/* The words of text.h. */
#include "tools/muster/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 1000

const char *plural(unsigned long long count)
{
    return count == 1 ? "" : "s";
}

static const char *const class_names[MUSTER_CALL_CLASS_COUNT] = { [MUSTER_CALL_COLLECTIVE] = "collective",
                                                                  [MUSTER_CALL_SPLIT] = "split",
                                                                  [MUSTER_CALL_SEND] = "send",
                                                                  [MUSTER_CALL_RECEIVE] = "receive" };

const char *call_class_name(muster_call_class call_class)
{
    return class_names[call_class];
}

bool find_call_class(const char *name, muster_call_class *call_class)
{
    for (int i = 0; i < MUSTER_CALL_CLASS_COUNT; i++)
        if (strcmp(class_names[i], name) == 0) {
            *call_class = (muster_call_class)i;
            return true;
        }
    return false;
}

void mark_rank(bool *listed, int ranks, int rank)
{
    if (rank >= 0 && rank < ranks)
        listed[rank] = true;
}

int list_ranks(const bool *listed, int size, char *text, size_t bytes)
{
    size_t used = 0;
    int count = 0;

    text[0] = '\0';
    for (int rank = 0; rank < size; rank++) {
        int first = rank;

        if (!listed[rank])
            continue;
        while (rank + 1 < size && listed[rank + 1])
            rank++;
        const char *separator = count ? " " : "";
        count += rank - first + 1;
        if (used >= bytes)
            continue;
        if (rank == first + 1) /* two are as short by themselves */
            used += (size_t)snprintf(text + used, bytes - used, "%s%d %d", separator, first, rank);
        else if (rank > first)
            used += (size_t)snprintf(text + used, bytes - used, "%s%d-%d", separator, first, rank);
        else
            used += (size_t)snprintf(text + used, bytes - used, "%s%d", separator, rank);
    }
    if (used >= bytes && bytes > 4)
        memcpy(text + bytes - 4, "...", 4);
    return count;
}

/* How many bytes the character of UTF-8 that begins here has; 0: there is none. */
static size_t character_bytes(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t bytes = at[0] < 0x80   ? 1
                   : at[0] < 0xc2 ? 0
                   : at[0] < 0xe0 ? 2
                   : at[0] < 0xf0 ? 3
                   : at[0] < 0xf5 ? 4
                                  : 0;

    for (size_t i = 1; i < bytes; i++) /* ends at the text's end, too */
        if (at[i] >> 6 != 2)
            return 0;
    bool is_beyond = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) || /* surrogates */
                     (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f);
    return is_beyond ? 0 : bytes;
}

void write_json_string(const char *text, FILE *file)
{
    fputc('"', file);
    while (*text) {
        size_t bytes = character_bytes(text);

        if (bytes == 0)
            fputs("\xef\xbf\xbd", file); /* U+FFFD, in place of what is none */
        else if (*text == '"' || *text == '\\')
            fprintf(file, "\\%c", *text);
        else if ((unsigned char)*text < ' ' || *text == '<') /* a page of HTML has this in a script */
            fprintf(file, "\\u%04x", (unsigned)*text);
        else
            fwrite(text, 1, bytes, file);
        text += bytes ? bytes : 1;
    }
    fputc('"', file);
}

int finish_output(const char *command, int status)
{
    bool failed = ferror(stdout) != 0; /* its errno is gone */

    errno = 0;
    failed = fflush(stdout) != 0 || failed;
    int error = errno;
    if (fclose(stdout) != 0 && !failed) {
        failed = true;
        error = errno;
    }
    if (!failed)
        return status;
    fprintf(stderr, "muster%s%s: standard output could not be written%s%s\n", command ? " " : "",
            command ? command : "", error ? ": " : "", error ? strerror(error) : "");
    return status == EXIT_SUCCESS ? EXIT_FAILURE : status;
}

void leave_unread_error(void)
{
    struct pollfd polled = { .fd = STDERR_FILENO, .events = POLLOUT };
    int null = poll(&polled, 1, PATIENCE_MS) == 0 ? open("/dev/null", O_WRONLY) : -1;

    if (null < 0)
        return;
    dup2(null, STDERR_FILENO);
    close(null);
}

void say(sentence *sentence, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int more =
        vsnprintf(sentence->text + sentence->used, (size_t)(sentence->bytes - sentence->used), format, args);
    va_end(args);
    sentence->used = sentence->used + more < sentence->bytes ? sentence->used + more : sentence->bytes - 1;
}
