/*
 * The port contract: everything muster asks of the operating system.
 *
 * One file per system implements it (os_linux.c), and these are the only files that may look at
 * the system with #ifdef. Parking and death words, which systems differ in most, have files of their
 * own: os_park_futex.c, and os_park_portable.c which needs nothing but nanosleep.
 *
 * Functions return 0 or a descriptor on success and -errno on failure, unless said otherwise. None
 * of them prints, allocates memory that it does not return, or keeps state.
 */
#ifndef MST_OS_H
#define MST_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MST_NS_PER_S 1000000000LL
#define MST_NS_PER_MS 1000000LL
#define MST_CPUS_MAX 1024

/* ---- time: monotonic, never the wall clock ---- */

int64_t mst_os_now_ns(void);
int64_t mst_os_coarse_ns(void);  /* the same, up to some milliseconds behind; faster to read */
void mst_os_sleep(int64_t ns);   /* so long at least, whatever happens; for delays that a user asks for */
void mst_os_relax(void);         /* tells the core that this is a spin loop */
void mst_os_yield(void);         /* lets another runnable thread have this CPU */
bool mst_os_yields_to_all(void); /* not with a real-time priority: then only to such */

/* ---- parking: sleep until a word in shared memory changes ---- */

/*
 * Sleeps while *word == seen, at most timeout_ns; may return early for no reason. A thread that has
 * read `seen`, announced itself, and read `seen` again misses no unpark that follows the change.
 * Works across processes and across mappings.
 */
void mst_os_park(const _Atomic uint32_t *word, uint32_t seen, int64_t timeout_ns);

/* Wakes everyone parked on the word. Call it after changing the word. */
void mst_os_unpark_all(const _Atomic uint32_t *word);

/* "futex" or "portable" */
const char *mst_os_park_name(void);

/* A word, and what it was when last looked at. */
typedef struct mst_os_watched_word {
    const _Atomic uint32_t *word;
    uint32_t seen;
} mst_os_watched_word;

#define MST_OS_WATCHED_MAX 128

/* Sleeps while each of up to MST_OS_WATCHED_MAX words is what it was, at most timeout_ns (0: no limit);
 * may return early. -ENOSYS where the system cannot. */
int mst_os_park_on_any(const mst_os_watched_word *words, size_t count, int64_t timeout_ns);

/* ---- death words: words that the system itself changes when their holder ends ---- */

/* What the holder's thread keeps in private memory while it holds one. */
typedef struct mst_os_death_word {
    void *list[4];
} mst_os_death_word;

/*
 * The calling thread holds *word from here on: when the thread ends, however it ends, or its process
 * executes another program, the system sets a bit of the word and wakes one of those parked on it; 0.1 ms
 * after a kill, whatever memory the process has. A thread holds one death word at most. -ENOSYS where the
 * system cannot.
 */
int mst_os_death_word_raise(mst_os_death_word *death_word, _Atomic uint32_t *word);
void mst_os_death_word_lower(mst_os_death_word *death_word, _Atomic uint32_t *word); /* the word is 0 again */
bool mst_os_death_word_fell(uint32_t value); /* whether a word says that its holder has ended */

/* ---- shared memory objects ---- */

/* An anonymous object that no other process can name. Sealed by mst_os_object_seal once sized. */
int mst_os_object_create_anonymous(void);

/* A named one, only if none of that name exists (-EEXIST), mode 0600. */
int mst_os_object_create_named(const char *name);
int mst_os_object_open_named(const char *name); /* -ENOENT when there is none; follows no links */
int mst_os_object_unlink(const char *name);
const char *mst_os_object_folder(void); /* where their names are, for sentences */

/*
 * A descriptor that is kept beyond one call. Its number is not ours for ever: a program may close descriptors
 * that it does not know (closefrom, daemons), and open files that take the numbers. So what it is of is
 * noted, and looked at before each use.
 */
typedef struct mst_os_held {
    int fd;      /* negative: none */
    int32_t pid; /* of a watch that the inode does not tell apart from others; 0: it does */
    uint64_t device, inode;
} mst_os_held;

mst_os_held mst_os_hold(int fd);                    /* takes note; a negative one is fine */
mst_os_held mst_os_hold_watch(int fd, int32_t pid); /* the same of what mst_os_process_watch gave */
int mst_os_held_fd(const mst_os_held *held);        /* its number; -1: none, or it is not ours any more */
bool mst_os_held_is_lost(const mst_os_held *held);  /* its number is not ours any more */
void mst_os_held_close(mst_os_held *held);          /* leaves a number alone that is not ours */

/* Whether `name` still leads to the object that `held` is, or was, of. */
bool mst_os_object_has_name(const mst_os_held *held, const char *name);

typedef struct mst_os_object_info {
    uint64_t bytes;
    bool regular, mine, private_mode, sealed, linked;
    uint32_t owner_uid, mode;
} mst_os_object_info;

int mst_os_object_info_get(int fd, mst_os_object_info *info);
int mst_os_object_resize(int fd, uint64_t bytes);
int mst_os_object_seal(int fd); /* no growing, shrinking or unsealing; -EINVAL where not possible */

/* Bytes that the file system of named objects can still give, if `device` is that; UINT64_MAX: no limit, or
 * it cannot say. */
uint64_t mst_os_object_free_bytes(uint64_t device);

int mst_os_object_read(int fd, uint64_t offset, void *to, size_t bytes); /* exactly `bytes` */
int mst_os_object_write(int fd, uint64_t offset, const void *from, size_t bytes);

/* Attaches as a user of the object until the descriptor is closed in all processes that have it;
 * `alone`: only if nobody else is one (-EWOULDBLOCK, and then this caller is none either). */
int mst_os_object_use(int fd, bool alone);

int mst_os_object_map(int fd, size_t bytes, void **base); /* not dumped, not inherited by forks */

/* The same of its first `common` bytes, and then, without gaps, of the first `prefix` bytes of each of
 * `count` strides that follow there. */
int mst_os_object_map_prefixes(int fd, size_t common, size_t stride, size_t prefix, size_t count,
                               void **base);
void mst_os_unmap(void *base, size_t bytes);

/* Gives a mapped range of an object memory of its own now, -ENOSPC when there is none, so that touching it
 * later can never fault. Keeps what is there. By the mapping: no descriptor has to be open still. */
int mst_os_memory_commit(void *at, size_t bytes);
int mst_os_memory_release(void *at, size_t bytes); /* back to the system; what is read there later is 0 */

int mst_os_dup_above(int fd, int lowest); /* a copy of fd numbered >= lowest, inheritable */
int mst_os_close_on_exec(int fd);
void mst_os_close(int fd); /* negative ones are fine */

/* Largest object that RLIMIT_FSIZE leaves room for. */
uint64_t mst_os_object_bytes_max(void);

/* How much of so many bytes of address space this process can map: all, or less, where a limit, a small
 * system or a tool such as valgrind gives no more; half of what there is stays the program's then. */
uint64_t mst_os_address_space(uint64_t wanted);
bool mst_os_address_space_is_limited(void); /* by RLIMIT_AS */

/* ---- processes ---- */

int32_t mst_os_process_id(void);
uint64_t mst_os_process_start(int32_t pid); /* tells reuses of a pid apart; 0: unknown */

uint64_t mst_os_process_namespace(void); /* what pids here are numbers of; 0: unknown */

/* Tells apart the programs that a process executes one after the other; 0: unknown, or not ours to see. */
uint64_t mst_os_process_image(int32_t pid);

/* A descriptor that becomes readable when the process has ended. -ESRCH: it has. */
int mst_os_process_watch(int32_t pid);

/* A number that no other process has or will have until the next boot; 0: the system has none. */
uint64_t mst_os_watch_identity(int watch);

/* Whether there is a process of that number, be it only its end that nobody has asked for yet; true where the
 * system does not say. Needs no descriptor, of which there may be none left. */
bool mst_os_process_is_there(int32_t pid);

/* Which of the watches have fired, without waiting: fired[i] for watches[i] (negative ones are skipped). One
 * whose number is not ours any more has not, and becomes -1: to be opened again. */
void mst_os_process_poll(mst_os_held *watches, size_t count, bool *fired);

typedef enum mst_os_termination {
    MST_OS_RUNNING,  /* and nothing says that it will end */
    MST_OS_ENDING,   /* it has been told to, or is about to be another program */
    MST_OS_DUMPING,  /* it crashed, and writes its core file */
    MST_OS_EXITED,   /* *code: the status */
    MST_OS_SIGNALED, /* *code: the signal */
    MST_OS_UNKNOWN   /* it is gone, and the system does not say how */
} mst_os_termination;

/* How a process ended, or is ending, as far as the system says; `start` as above, 0: any. ENDING with
 * *code 0: its status is 0, unless it is about to be another program; -1: not to be seen yet. */
mst_os_termination mst_os_process_termination(int32_t pid, uint64_t start, int watch, int *code);

/* Starts a thread of the library's own: all signals blocked, a small stack. */
int mst_os_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

/* Gives the calling thread a name of at most 15 characters, for debuggers and ps. */
void mst_os_thread_name(const char *name);

/* How many threads this process has; 0: unknown. */
int mst_os_thread_count(void);

/* Whether all other threads of this process have ended, the first one by pthread_exit; the caller is not
 * that. */
bool mst_os_thread_is_last(void);

/* Has a thread with as much stack as the program's own wait for `last`, and end: the process ends then as it
 * would have without `last`, with the program's handlers of that. */
void mst_os_thread_end_after(pthread_t *last);

/* Has this process killed when `parent` ends, however it ends; -ESRCH: it has already. */
int mst_os_die_with_parent(int32_t parent);

/* A fork that the caller's own program never learns of: it is no child to its waits, and its end sends no
 * signal. The child may only do what is safe in a signal handler. Its number, 0 in the child, or -errno. */
int32_t mst_os_fork_unseen(void);
void mst_os_end_unseen(int32_t pid); /* kills it, and takes it from the system */

/* Closes all descriptors but these, for a process that is to hold nothing of the program's. */
void mst_os_close_others(const int *kept, size_t count);

/* A byte that reads 1 in this process and 0 in any child forked from it; NULL: no memory. */
const unsigned char *mst_os_fork_mark_create(void);
void mst_os_fork_mark_destroy(const unsigned char *mark);

/* Random bytes that tell two jobs apart. */
void mst_os_random(void *to, size_t bytes);

/* ---- CPUs ---- */

/* The CPUs that this process may use, one bit each. */
void mst_os_cpus_allowed(uint64_t mask[MST_CPUS_MAX / 64]);

/* CPU time per second that a control group allows, in CPUs rounded up; INT32_MAX: no limit. */
int mst_os_cpu_quota(void);

#endif
