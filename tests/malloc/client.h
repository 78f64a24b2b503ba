/* What the files of the client share. */
#ifndef TEST_MALLOC_CLIENT_H
#define TEST_MALLOC_CLIENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "muster/muster.h"

extern muster_group *world;
extern int rank;

void fail_at(const char *file, int line, const char *what) __attribute__((noreturn));
bool in_arena(const void *at);
long arena_blocks(void);    /* memory of the arena, in units of 512 bytes */
int waits_for(pid_t child); /* its status, as of waitpid */

#define FAIL(what) fail_at(__FILE__, __LINE__, what)
#define CHECK(condition) ((condition) ? (void)0 : FAIL(#condition))

void forks(void);
void fills(void);
void locks(void);
void clones(void);
void starts(void);
void death(void);
void broken(void);
void unfreed(void);

#endif
