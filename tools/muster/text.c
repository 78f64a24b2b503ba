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
