/*
 * The port contract: everything muster asks of the operating system.
 *
 * One set of files per system implements it (os_linux*.c), and only these may test for the system with
 * #ifdef. Parking and death words differ most between systems and have files of their own: os_park_futex.c,
 * and os_park_portable.c, which needs nothing but nanosleep.
 *
 * Functions return 0 or a descriptor on success and -errno on failure, unless stated otherwise. None of them
 * prints, keeps state, or allocates memory that it does not return.
 */
#ifndef MST_OS_H
#define MST_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/port/cpu_kind.h"

#define MST_NS_PER_S 1000000000LL
#define MST_NS_PER_MS 1000000LL
#define MST_CPUS_MAX 1024

/* ---- time: monotonic, never the wall clock ---- */

int64_t mst_os_now_ns(void);
int64_t mst_os_coarse_ns(void);  /* the same clock, up to some milliseconds behind; faster to read */
int64_t mst_os_ran_ns(void);     /* the CPU time that all threads of this process have had */
void mst_os_sleep(int64_t ns);   /* at least that long, despite signals; for delays that a user asks for */
void mst_os_relax(void);         /* pause: tells the core that this is a spin loop */
void mst_os_yield(void);         /* lets another runnable thread have this CPU */
bool mst_os_yields_to_all(void); /* false with a real-time priority, which yields only to real-time threads */

/* ---- parking: sleep until a word in shared memory changes ---- */

/*
 * Sleeps while *word == seen, at most timeout_ns; may return early for no reason. A thread that reads `seen`,
 * announces itself, and reads `seen` again misses no unpark that follows a change of the word. Works across
 * processes and across mappings.
 */
void mst_os_park(const _Atomic uint32_t *word, uint32_t seen, int64_t timeout_ns);

/* Wakes everyone parked on the word. Call it after changing the word. */
void mst_os_unpark_all(const _Atomic uint32_t *word);

/* "futex" or "portable" */
const char *mst_os_park_name(void);

/* A word, and the value it had when it was last read. */
typedef struct mst_os_watched_word {
    const _Atomic uint32_t *word;
    uint32_t seen;
} mst_os_watched_word;

#define MST_OS_WATCHED_MAX 128

/* Sleeps while each of up to MST_OS_WATCHED_MAX words still has its `seen` value, at most timeout_ns (0: no
 * limit); may return early. -ENOSYS where the system cannot. */
int mst_os_park_on_any(const mst_os_watched_word *words, size_t count, int64_t timeout_ns);

/* ---- death words: the kernel changes them when the thread that owns them ends (robust futexes) ---- */

/* The owner's private memory while it owns a death word: its robust list. */
typedef struct mst_os_death_word {
    void *list[4];
} mst_os_death_word;

/*
 * Makes the calling thread the owner of *word. When the thread ends, for whatever reason, or its process
 * executes another program, the kernel sets a bit of the word and wakes one of the threads parked on it;
 * within 0.1 ms of a kill, however much memory the process has. A thread owns at most one death word. -ENOSYS
 * where the system cannot.
 */
int mst_os_death_word_raise(mst_os_death_word *death_word, _Atomic uint32_t *word);
void mst_os_death_word_lower(mst_os_death_word *death_word, _Atomic uint32_t *word); /* sets the word to 0 */
bool mst_os_death_word_fell(uint32_t value); /* whether a word says that its owner has ended */

/* ---- shared memory objects ---- */

/* An anonymous object that no other process can open by name. mst_os_object_seal seals it once it is
 * sized. */
int mst_os_object_create_anonymous(void);

/* A named object of mode 0600; -EEXIST if the name exists. */
int mst_os_object_create_named(const char *name);
int mst_os_object_open_named(const char *name); /* -ENOENT when there is none; follows no links */
int mst_os_object_unlink(const char *name);
const char *mst_os_object_folder(void); /* the directory of their names, for messages */

/*
 * A descriptor that is kept beyond one call. Its number may cease to be ours: a program may close descriptors
 * that it does not know (closefrom, daemons) and open files that get the same numbers. So the identity of the
 * open file is recorded here, and checked before each use.
 */
typedef struct mst_os_held {
    int fd;      /* negative: none */
    int32_t pid; /* of a watch that its inode does not identify; 0: the inode does */
    uint64_t device, inode;
} mst_os_held;

mst_os_held mst_os_hold(int fd);                    /* records the identity; a negative fd is allowed */
mst_os_held mst_os_hold_watch(int fd, int32_t pid); /* the same for a descriptor from mst_os_process_watch */
int mst_os_held_fd(const mst_os_held *held); /* the descriptor; -1: there is none, or it is no longer ours */
bool mst_os_held_is_lost(const mst_os_held *held); /* the number is no longer ours */
void mst_os_held_close(mst_os_held *held);         /* closes nothing if the number is no longer ours */

/* Opens what another process of this user holds: -ESTALE if it has something else at that number. */
int mst_os_held_open(const mst_os_held *theirs, int32_t pid);

/* Whether `name` still refers to the object that `held` is, or was, a descriptor of. */
bool mst_os_object_has_name(const mst_os_held *held, const char *name);

typedef struct mst_os_object_info {
    uint64_t bytes;
    bool regular, mine, private_mode, sealed, linked;
    uint32_t owner_uid, mode;
} mst_os_object_info;

int mst_os_object_info_get(int fd, mst_os_object_info *info);
int mst_os_object_resize(int fd, uint64_t bytes);
int mst_os_object_seal(int fd); /* forbids growing, shrinking and unsealing; -EINVAL where not possible */

/* Bytes that the file system of named objects can still provide, if `device` is that file system; UINT64_MAX:
 * no limit, or unknown. */
uint64_t mst_os_object_free_bytes(uint64_t device);

int mst_os_object_read(int fd, uint64_t offset, void *to, size_t bytes); /* exactly `bytes` */
int mst_os_object_write(int fd, uint64_t offset, const void *from, size_t bytes);

/* Takes a shared lock on the object, which marks it as in use until the descriptor is closed in all processes
 * that have it. `alone`: takes an exclusive lock; -EWOULDBLOCK, and no lock, if anybody else uses the
 * object. */
int mst_os_object_use(int fd, bool alone);

int mst_os_object_map(int fd, size_t bytes, void **base); /* not dumped, not inherited by forks */

/* Maps the first `common` bytes of the object and, without gaps, the first `prefix` bytes of each of the
 * `count` strides that follow them. */
int mst_os_object_map_prefixes(int fd, size_t common, size_t stride, size_t prefix, size_t count,
                               void **base);
void mst_os_unmap(void *base, size_t bytes);

/* Allocates memory for a mapped range of an object now, keeping its content, so that touching it later can
 * never fault; -ENOSPC when there is none. Works by the mapping: the descriptor may be closed. */
int mst_os_memory_commit(void *at, size_t bytes);
int mst_os_memory_release(void *at, size_t bytes); /* frees its memory; it reads as 0 afterwards */

/* Size of a page, and whether this process may write the pages of a mapped range, which are whole ones; a
 * write that is not allowed is SIGSEGV. Other processes are not affected. */
size_t mst_os_page_bytes(void);
int mst_os_memory_protect(void *at, size_t bytes, bool writable);

int mst_os_dup_above(int fd, int lowest); /* a copy of fd numbered >= lowest, inheritable */
int mst_os_close_on_exec(int fd);
void mst_os_close(int fd); /* ignores negative ones */

/* The largest object that RLIMIT_FSIZE allows. */
uint64_t mst_os_object_bytes_max(void);

/* How many of the `wanted` bytes of address space this process can map: all of them, or fewer under a limit,
 * on a small system or under a tool such as valgrind; then half of what is available is left to the
 * program. */
uint64_t mst_os_address_space(uint64_t wanted);
bool mst_os_address_space_is_limited(void); /* by RLIMIT_AS */

/* ---- processes ---- */

int32_t mst_os_process_id(void);
uint64_t mst_os_process_start(int32_t pid); /* tells reuses of a pid apart; 0: unknown */

uint64_t mst_os_process_namespace(void); /* the pid namespace, in which pids here are valid; 0: unknown */

/* Identifies the program that the process executes now: changes at exec. 0: unknown, or not visible to us. */
uint64_t mst_os_process_image(int32_t pid);

/* A descriptor (pidfd) that becomes readable when the process has ended. -ESRCH: it has ended already. */
int mst_os_process_watch(int32_t pid);

/* A number that no other process has or will have until the next boot; 0: the system has no such number. */
uint64_t mst_os_watch_identity(int watch);

/* Whether there is a process of that number, zombies included; true where the system does not say. Needs no
 * descriptor: there may be none left. */
bool mst_os_process_is_there(int32_t pid);

/* Which of the watches have fired, without waiting: fired[i] for watches[i]; negative ones are skipped. A
 * watch whose number is no longer ours is reported as not fired and set to -1, for the caller to open
 * again. */
void mst_os_process_poll(mst_os_held *watches, size_t count, bool *fired);

typedef enum mst_os_termination {
    MST_OS_RUNNING,  /* and no sign that it is about to end */
    MST_OS_ENDING,   /* it has a pending SIGKILL, or is exiting or executing another program */
    MST_OS_DUMPING,  /* it crashed, and is writing its core file */
    MST_OS_EXITED,   /* *code: the status */
    MST_OS_SIGNALED, /* *code: the signal */
    MST_OS_UNKNOWN   /* it has ended, and the system does not say how */
} mst_os_termination;

/* How a process ended, or is ending, as far as the system says. `start` is as above, 0: any. ENDING with
 * *code 0: it exits with status 0, or is executing another program; *code -1: not visible yet. */
mst_os_termination mst_os_process_termination(int32_t pid, uint64_t start, int watch, int *code);

/* Starts one of the library's own threads: all signals blocked, and a small stack, unless it `calls_program`,
 * whose functions need an ordinary one. */
int mst_os_thread_start(pthread_t *thread, bool calls_program, void *(*run)(void *arg), void *arg);

/* Gives the calling thread a name of at most 15 characters, for debuggers and ps. */
void mst_os_thread_name(const char *name);

/* How many threads this process has; 0: unknown. */
int mst_os_thread_count(void);

/* Whether no other thread of this process can go on before the caller has done something: all of them, but
 * `own` of the library's, which have names, sleep until a thread of this process wakes them. False: it is not
 * so, or not known. *digest: of who they are and how often each has slept, not 0. */
bool mst_os_threads_are_stuck(int own, uint64_t *digest);

/* Whether all threads of this process but `own` ones of the library have ended, the main thread by
 * pthread_exit. Called by one of these. */
bool mst_os_thread_is_last(int own);

/* Starts a thread with a stack of ordinary size that joins `last` and ends. The process then ends as it would
 * have without `last`, running the program's exit handlers. */
void mst_os_thread_end_after(pthread_t *last);

/* Asks the system to kill this process when `parent` ends, however it ends; -ESRCH: it has ended already. */
int mst_os_die_with_parent(int32_t parent);

/* Keeps the object that has this code, and what it needs, in memory until the process ends: for addresses of
 * it that others have. A program is kept in any case. */
void mst_os_keep_code(const void *at);

/* Has fn(status, arg) called when the process ends by exit, before what was registered earlier. Forked
 * children call it, too. -ENOSYS: the system does not tell the status. */
int mst_os_at_exit(void (*fn)(int status, void *arg), void *arg);

/* The file from which the code at `at` was mapped, an absolute path, and its owner; false: not known, too
 * long, or another file is there now. The dynamic linker calls a program as whoever starts it does, which may
 * be no path at all. */
bool mst_os_mapped_file(const void *at, char *path, size_t bytes, uint32_t *owner);

/* Finds a file, by a path without links: false if it is not there, or if somebody but this user, the
 * superuser and `owner` owns it or its folder, or that of `path`, or everybody may write to one of them. */
bool mst_os_trusted_file(const char *path, uint32_t owner, char *found, size_t bytes);

/* Forks a child that the program cannot notice: its wait functions do not see it, and its end sends no
 * signal. The child may only do what is async-signal-safe, and has all signals blocked, so that no handler of
 * the program runs in it. Returns the pid, 0 in the child, or -errno. */
int32_t mst_os_fork_unseen(void);
void mst_os_end_unseen(int32_t pid); /* kills and reaps it */

/* Closes all descriptors but these, for a process that must hold none of the program's. */
void mst_os_close_others(const int *kept, size_t count);

/* A byte that reads 1 in this process and 0 in any child forked from it; NULL: no memory. */
const unsigned char *mst_os_fork_mark_create(void);
void mst_os_fork_mark_destroy(const unsigned char *mark);

/* Random bytes that tell two jobs apart. */
void mst_os_random(void *to, size_t bytes);

/* ---- what a user keeps in a file ---- */

/* Reads a whole text of less than `bytes` bytes, and ends it with a 0: its length. -EPERM: it is not a plain
 * file that only this user may write; -EFBIG: it is longer. Never blocks. */
int mst_os_text_read(const char *path, char *text, size_t bytes);

/* Writes one in place of what is there, at once for all readers, and makes the folders `from` bytes and more
 * into the path. Of several writers the last one wins. `text` NULL: only tries, and leaves what is there. */
int mst_os_text_write(const char *path, size_t from, const char *text);

/* The name of this machine; "" if it has none. */
void mst_os_host_name(char *name, size_t bytes);

/* The host's name and what tells its starts apart: the same in all processes of one machine. `text` is filled
 * with zeros behind it. */
void mst_os_machine(char *text, size_t bytes);

/* ---- memory of other processes ---- */

/*
 * By which a process is known to those that read its memory: a token, a secret at an address of its own. Its
 * pid may come to be another process's, and exec replaces the program: neither has the token there. A forked
 * child of the process has zeros there.
 */
typedef struct mst_os_remote {
    int32_t pid;
    uint64_t token_at; /* 0: nobody can read the process */
    uint64_t token[2];
} mst_os_remote;

mst_os_remote mst_os_remote_offer(void); /* this process's, for others; token_at 0 where there can be none */
void mst_os_remote_withdraw(const mst_os_remote *own);

/*
 * Copies `bytes` bytes at `at` in that process to `to`, all of them: its token is read in the same system
 * call, from the same address space. -ESRCH: it has ended, or is another process or program; -EPERM, -ENOSYS:
 * the system refuses; -EFAULT: not all of it is mapped there, or the system does not copy such memory. After
 * a failure some bytes may have been written.
 */
int mst_os_remote_read(const mst_os_remote *remote, void *to, uint64_t at, size_t bytes);

/* ---- CPUs ---- */

/* The CPU that this thread runs on, as of now; -1: not known. */
int mst_os_cpu(void);

/* The CPUs that this process may use, one bit each. */
void mst_os_cpus_allowed(uint64_t mask[MST_CPUS_MAX / 64]);

/* 1 + the first CPU of the last-level cache that all CPUs of the set share; 0: there is none, or it is not
 * known. A few system calls. */
uint32_t mst_os_last_cache(const uint64_t cpus[MST_CPUS_MAX / 64]);

/* What kind of CPU this is, without system calls. */
void mst_os_cpu_kind_get(mst_cpu_kind *kind);

/* CPU quota of the control group in CPUs (CPU time per second), rounded up; INT32_MAX: no limit. */
int mst_os_cpu_quota(void);

#endif
