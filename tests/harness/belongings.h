/*
 * What a program has in place of descriptors that it did not know: it closes all from 3 on, as daemons do,
 * and opens files, pipes, sockets and watches, which take the numbers. Whoever remembers one of them must
 * leave it alone.
 */
#ifndef TEST_BELONGINGS_H
#define TEST_BELONGINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum { BELONGINGS = 60 };

typedef struct belongings {
    struct own {
        struct stat before;
        int flags;
        int queued; /* bytes that can be read; -1: of a file */
    } own[BELONGINGS];
} belongings;

/* Closes all, earlier belongings included, and opens others, whose kinds are drawn from the seed. */
bool belongings_take(belongings *all, uint64_t seed);

/* What is not as it was, in words; NULL: all is. */
const char *belongings_changed(const belongings *all);

#endif
