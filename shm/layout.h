/*
 * The specification of the arena's bytes: the only place that says what lies where.
 *
 *   0                      header          one page: identity (written once), attach state
 *   MST_ENTRIES_OFFSET     rank entries    who sits in each seat, and how it ended
 *   mst_layout_records_offset(s) records   the latest operations of whoever sits in seat s: a ring
 *   mst_layout_cells_offset()    cells     MST_CELLS_MAX rows of one cell per seat: a cell for each
 *                                        group that the rank is a member of
 *   mst_layout_slots_offset()    slots     as many rows of two small slots per seat: those of the cell in
 *                                        the same place
 *   mst_layout_region_offset(s)  heap of s  staging, channels, arena buffers of whoever sits in seat s
 *
 * A seat is the place of one process (or thread) that is a rank, and is never used by another: the
 * world's ranks begin in the seats of their numbers, and who replaces a dead rank takes a seat beyond.
 * The rank in a seat is the only allocator of the seat's cells, slots and heap, which together are its
 * region, so carving needs no lock and a dead rank takes nothing with it but its own region. Cells of one row
 * lie side by side, since all members of a group read each other's at every step: far apart they would each
 * take an entry of the TLB and lines of the page tables, and a page fault when they are first read. So would
 * slots. A group's sub-arena is one cell, with its slots, and one staging block of each member; members
 * learn each other's at split. Control lines (header, entries, records, cells) and slots stay committed once
 * used; the heap is committed piece by piece.
 *
 * Rules: offsets, never pointers; fixed-width types; every field names who writes it, who reads it
 * and, where it is shared, which edge of docs/MEMORY_MODEL.md publishes it. docs/LAYOUT.md is the
 * same as a table, and a test compares the two. Changing anything here changes the fingerprint.
 */
#ifndef MST_LAYOUT_H
#define MST_LAYOUT_H

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MST_LAYOUT_VERSION 14
#define MST_LINE 128          /* two cache lines: neighbours are prefetched in pairs */
#define MST_PAGE 65536        /* largest page size in use; all big offsets are multiples of it */
#define MST_RANKS_MAX 1024    /* of a world; and seats of an arena */
#define MST_CELLS_MAX 4096    /* groups that one rank may be a member of at the same time */
#define MST_STARTED_MAX 4     /* operations of a group that may be started and not finished */
#define MST_REASON_BYTES 252  /* of a sentence that explains poison */
#define MST_RECORDS 1024      /* operations that a rank remembers; a power of two */
#define MST_DOING_BYTES 96    /* of a description of the call that a rank waits in */
#define MST_PAYLOAD_BYTES 112 /* beside an arrival's flag */
#define MST_PIECES_MAX 13     /* that work for all is cut into */
#define MST_SLOT_BYTES 4224   /* of a small entry of a channel: 4 KiB, and a little */
#define MST_SMALL_BYTES 4096  /* of a small slot of staging: two belong to a cell */

#define MST_WORLD_CELL 0 /* every rank's cell in the world, of its first generation */
#define MST_WORLD_MEMBERSHIP 3
#define MST_READY_MAGIC 0x4d55535445523031ULL /* "MUSTER01" */

/*
 * A growing count that others wait for. `word` is 2 x count + a poison bit: the owner adds 2, a
 * poisoner sets bit 0, so that both change the word a sleeper is parked on. Counts are compared by
 * difference. Waiters announce themselves in `sleepers` before parking, so that a waker makes a
 * system call only when someone sleeps.
 */
typedef struct mst_signal {
    alignas(MST_LINE) _Atomic uint32_t word; /* owner: E2, E3, E5; poisoner: E7; read by waiters */
    _Atomic uint32_t sleepers;               /* waiters, E9; read by whoever raises the word */
} mst_signal;

/*
 * One rank's arrival at a step: a flag, and beside it, so that it comes with the same line, what the
 * others read first. `word` is 2 x step + a poison bit. Only the owner stores to it; a poisoner sets
 * the bit to change the word that a sleeper is parked on.
 */
typedef struct mst_arrival {
    alignas(MST_LINE) _Atomic uint32_t word; /* owner: E2, E3; poisoner: E7 */
    uint32_t reserved;
    uint64_t request;                         /* owner, before the word: what it was asked to do, in short */
    unsigned char payload[MST_PAYLOAD_BYTES]; /* owner, before the word: what there is to read, if it fits */
} mst_arrival;

/* One rank's side of a lane: arrivals at even and odd steps, and who sleeps on them. `sleepers` has a
 * line of its own, since the owner looks at it after every step and the others read the arrivals. */
typedef struct mst_lane_lines {
    mst_arrival arrivals[2];
    alignas(MST_LINE) _Atomic uint32_t sleepers; /* waiters, E9; read by the owner */
} mst_lane_lines;

/* All that a rank was asked to do, published by its arrival (E2): for sentences, and for buffers that
 * are read where they lie. */
typedef struct mst_call_record {
    uint64_t operation; /* number of the operation in the group */
    uint64_t count;
    uint64_t in_offset;  /* arena offset of the input, 0: private memory, it travels by staging */
    uint64_t out_offset; /* the same for the output */
    uint32_t collective; /* enum mst_collective of src/ */
    uint32_t dtype;
    uint32_t op;
    int32_t root;
    uint64_t reserved[2];
} mst_call_record;

/* A lane for operations that are started now and finished later: each goes to the next of these. */
typedef struct mst_started_lines {
    mst_lane_lines lane;      /* E2 */
    mst_call_record calls[2]; /* by parity of the lane's operations, E2 */
} mst_started_lines;

/* What a rank brings to a split, published by E3. */
typedef struct mst_split_record {
    int32_t color;
    int32_t key;
    uint32_t status;     /* a muster_status: whether the rank could get its share of the child */
    uint32_t cell;       /* index of its cell for the child */
    uint64_t membership; /* what that cell's membership reads while the rank is in the child */
    uint64_t staging_offset;
    uint64_t operation; /* number of the split in the parent */
    uint64_t reserved[3];
} mst_split_record;

/* What a rank brings to a shrink or a grow, published by E11. */
typedef struct mst_regroup_record {
    mst_split_record share; /* color, key, operation: unused */
    uint64_t roll_offset;   /* where in its heap the roll is that it will propose */
    uint32_t grows;         /* 1: replacements of dead ranks are to be taken in */
    uint32_t reserved;
    uint64_t reserved_too[6];
} mst_regroup_record;

/* Who belongs to a new group: a proposal, and, if it is the first, the decision (E12). So many lines
 * follow, in the order of the new group. */
typedef struct mst_roll {
    uint64_t size;
    int64_t spin_ns; /* how the members wait: alike on all, since other things follow from it */
    int64_t yield_ns;
    uint64_t reserved;
} mst_roll;

typedef struct mst_roll_line {
    uint32_t seat;
    uint32_t cell;
    uint64_t membership;
    uint64_t staging_offset;
} mst_roll_line;

/* What a call is, for those who look from outside. */
typedef struct mst_doing {
    uint32_t kind; /* a collective of src/, or one of activity.h */
    uint32_t dtype;
    uint32_t op;
    int32_t peer;       /* whom it waits for, or the root, in the group; -1: all of them */
    uint64_t count;     /* elements */
    uint64_t operation; /* its number in the group */
} mst_doing;

typedef struct mst_activity {
    _Atomic uint64_t number; /* 2 x the latest operation that was entered, less 1 in a call, E18 */
    int64_t entered_ns;      /* by the monotonic clock, up to some milliseconds early */
    mst_doing doing;
    uint64_t reserved[2];
} mst_activity;

#define MST_ACTIVITIES 4 /* as many as a group has entrances */

/* An operation that is over, for those who look from outside (recorder.h). All by the rank, E19. */
typedef struct mst_record {
    _Atomic uint64_t stamp;  /* 1 + how many places were taken before; 0: is being written, or never was */
    _Atomic uint64_t what;   /* packed: which call, in the group of how many */
    _Atomic uint64_t number; /* of the operation in the group */
    _Atomic uint64_t group;
    _Atomic uint64_t count;
    _Atomic uint64_t entered_ns; /* by the monotonic clock, as the two that follow */
    _Atomic uint64_t arrived_ns; /* when all others had come; 0: they did not */
    _Atomic uint64_t done_ns;
} mst_record;

/* One rank's control lines in one group. Written by that rank unless said otherwise. */
typedef struct mst_cell {
    /* 2 x generation + 1 while the rank is in the group, + 0 once it has left (E10). Never comes
     * back to an earlier value, so that a peer's stale look reads as "left". */
    alignas(MST_LINE) _Atomic uint64_t membership;
    _Atomic uint64_t poison;   /* any member; 0 or the packed reason (poison.h), E7 */
    _Atomic uint64_t channels; /* offset of this rank's channel table, 0: has sent nothing, E4 */
    uint64_t staging_offset;   /* before the rank attaches or splits: E1, E3 */
    _Atomic uint64_t regroups; /* how many this rank has arrived at, E11 */
    _Atomic uint64_t decided;  /* rank 0's cell: the latest regroup's number and winner, by any member, E12 */
    mst_lane_lines steps;      /* collectives, E2 */
    mst_lane_lines splits;     /* splits, E3: the payload is a split record */
    mst_call_record calls[2];  /* by parity of the operation, E2 */
    mst_signal bell;           /* point to point: senders and receivers wake this rank, E5, E6 */
    alignas(MST_LINE) uint32_t reason_bytes; /* why this rank poisoned the group: once, before E7 */
    char reason[MST_REASON_BYTES];
    mst_started_lines started[MST_STARTED_MAX];
    alignas(MST_LINE) mst_regroup_record regroup_records[2]; /* by parity of the regroup */
    /* For those who look from outside: no rank reads these. */
    alignas(MST_LINE) mst_activity activities[MST_ACTIVITIES];
    uint64_t group; /* the same for all its members, and no other group's, before the first activity */
    uint32_t group_rank;
    uint32_t group_size;
    /* Rank 0's cell: who has taken, or done, which piece of which work, packed, by any member, E21; and the
     * signal of those who sleep until one is done, E9. */
    _Atomic uint32_t pieces_rung;
    _Atomic uint32_t pieces_sleepers;
    _Atomic uint64_t pieces[MST_PIECES_MAX];
} mst_cell;

/* A world's rank goes from JOINING to ATTACHED; one that replaces another is WAITING in between. */
enum { MST_RANK_VACANT, MST_RANK_JOINING, MST_RANK_ATTACHED, MST_RANK_LEFT, MST_RANK_WAITING };

/* One per seat. */
typedef struct mst_rank_entry {
    alignas(MST_LINE) _Atomic uint32_t state; /* the rank (claims by CAS), E1, E10 */
    int32_t pid;                              /* the rank, before ATTACHED, E1 */
    uint64_t process_start;                   /* tells a reused pid apart */
    _Atomic uint64_t ending;                  /* launcher or any peer, once: 0 or the packed ending, E8 */
    _Atomic uint32_t beacon;    /* its beacon's word; 0: it has none. When it falls, the kernel */
    _Atomic uint32_t gone;      /* launcher or any peer: 1 when the dead can write no more, E8 */
    uint64_t process_identity;  /* the same, where the system has such numbers; 0: it has not */
    uint64_t process_namespace; /* what the pid is a number of; 0: unknown */
    uint64_t process_image;     /* the program that the process runs; 0: unknown */
    uint32_t rank;              /* which rank of the world it is; before ATTACHED, E1 */
    _Atomic uint32_t successor; /* launcher: 1 + the seat of its replacement, UINT32_MAX: none, E15 */
    _Atomic uint64_t admission; /* of a replacement: the roll that it is on, by any member, E16 */
    _Atomic uint64_t claimed;   /* the rank: places that it has taken in its ring of records */
    _Atomic uint64_t committing; /* the rank: bytes that it is about to get memory for, E22 */
    alignas(MST_LINE) uint64_t cpus[16]; /* the rank, before ATTACHED: CPUs that it may use, E1 */
    /* One bit per seat whose rank is in a group with this one: that rank, E17. */
    alignas(MST_LINE) _Atomic uint64_t holders[MST_RANKS_MAX / 64];
    /* What the rank waits for, while it waits long (deadlock.h). */
    alignas(MST_LINE) _Atomic uint64_t episode; /* the rank: 2 x waits + 1 in one, + 2 after it, E13 */
    _Atomic uint64_t verdict;           /* a member of a circle: the episode that is part of it, E14 */
    _Atomic uint32_t checks;            /* the rank: how often it has looked in vain, E13 */
    _Atomic uint32_t awaited[2];        /* the rank: 1 + whom it waits for, 0: nobody, E13 */
    char doing[MST_DOING_BYTES];        /* the rank: in which call, E13 */
    alignas(MST_LINE) char circle[256]; /* with the verdict: who waits for whom, E14 */
} mst_rank_entry;

enum { MST_RENDEZVOUS_OPEN, MST_RENDEZVOUS_COMPLETE, MST_RENDEZVOUS_FAILED };

typedef struct mst_header {
    /* Identity: written by the creator, published by `ready` (E0), copied once by attachers. */
    _Atomic uint64_t ready; /* MST_READY_MAGIC, stored last */
    uint64_t fingerprint;   /* mst_layout_fingerprint() of the creator's build */
    uint32_t version;
    uint32_t size; /* ranks of the world */
    uint64_t arena_bytes;
    uint64_t region_bytes;
    uint64_t staging_bytes; /* per rank and group: a ring */
    uint64_t nonce[2];
    int32_t launcher_pid; /* 0: ranks started on their own */
    uint32_t named;       /* 1: has, or had, a name in the file system */
    uint64_t launcher_start;
    uint32_t seats; /* at least one per rank; those beyond are for ranks that replace dead ones */
    uint32_t reserved;
    /* Attach state. */
    mst_signal arrivals; /* ranks attached, E1; any change makes attachers look again */
    /* Settled once, by CAS: COMPLETE by a rank that saw all, FAILED by the first to give up. */
    alignas(MST_LINE) _Atomic uint32_t rendezvous;
    _Atomic uint32_t missing_rank; /* FAILED: one rank that did not come */
    _Atomic uint32_t endings;      /* counts changes of any entry's ending, E8 */
    _Atomic uint32_t name_remover; /* 1 + the rank that removes the arena's name, by CAS; UINT32_MAX: done */
} mst_header;

static_assert(sizeof(mst_signal) == 128, "a signal has its line to itself");
static_assert(sizeof(mst_arrival) == MST_LINE && sizeof(mst_lane_lines) == 3 * MST_LINE, "so has an arrival");
static_assert(sizeof(mst_activity) == 64, "half a line");
static_assert(sizeof(mst_record) == 64 && MST_RECORDS * sizeof(mst_record) % MST_PAGE == 0, "whole pages");
static_assert(sizeof(mst_call_record) == 64 && sizeof(mst_split_record) <= MST_PAYLOAD_BYTES,
              "one line each");
static_assert(sizeof(mst_cell) == 4096, "cells are a power of two, so that they divide a page");
static_assert(offsetof(mst_cell, steps) == 128 && offsetof(mst_cell, splits) == 512 &&
                  offsetof(mst_cell, calls) == 896 && offsetof(mst_cell, bell) == 1024 &&
                  offsetof(mst_cell, reason_bytes) == 1152 && offsetof(mst_cell, started) == 1408 &&
                  offsetof(mst_cell, regroup_records) == 3456 && offsetof(mst_cell, activities) == 3712,
              "see docs/LAYOUT.md");
static_assert(sizeof(mst_rank_entry) == 768 && offsetof(mst_rank_entry, cpus) == 128 &&
                  offsetof(mst_rank_entry, holders) == 256 && offsetof(mst_rank_entry, episode) == 384 &&
                  offsetof(mst_rank_entry, circle) == 512,
              "see docs/LAYOUT.md");
static_assert(sizeof(mst_header) == 384 && offsetof(mst_header, arrivals) == 128 &&
                  offsetof(mst_header, rendezvous) == 256,
              "see docs/LAYOUT.md");

#define MST_ENTRIES_OFFSET 65536ULL
#define MST_REGION_BYTES_MIN (16ULL * 1024 * 1024)

/* One direction between two ranks, in the sender's heap: two slots for small entries, and a ring of entries,
 * of mst_layout_ring_bytes() bytes. */
typedef struct mst_channel {
    alignas(MST_LINE) _Atomic uint64_t head; /* receiver: bytes of the ring that it is done with, E6 */
    _Atomic uint64_t posted;                 /* receiver: the number of the entry that it waits for, E6 */
    uint64_t wanted_at; /* receiver, before `posted`: arena offset of the buffer to be filled, 0: private */
    uint64_t wanted_bytes;                                    /* likewise: its bytes */
    alignas(MST_LINE) unsigned char slots[2][MST_SLOT_BYTES]; /* of entries with even and odd numbers */
    alignas(MST_LINE) unsigned char ring[];
} mst_channel;

static_assert(sizeof(mst_channel) == MST_LINE + 2 * MST_SLOT_BYTES, "see docs/LAYOUT.md");

/*
 * The beginning of an entry, at a multiple of MST_ENTRY_UNIT, with its bytes right behind, so that a
 * small message is one cache line. `stamp` says that the entry is there: its number (from 1, in the channel),
 * kind and tag, packed; in the ring that of the next entry is cleared before. What `count` and the tag mean
 * is the messages' affair.
 */
typedef struct mst_entry {
    _Atomic uint64_t stamp; /* sender: 0, or number, kind and tag, E5 */
    uint64_t count;
    uint64_t taken; /* how many entries of the receiver's channel the sender has taken, E20 */
} mst_entry;

#define MST_ENTRY_UNIT 64

static_assert(sizeof(mst_entry) == 24, "see docs/LAYOUT.md");

/* Where things are in an arena: private to each process, made from checked copies. */
typedef struct mst_geometry {
    unsigned char *base;
    uint64_t arena_bytes;
    uint64_t region_bytes;
    uint64_t staging_bytes;
    uint32_t size; /* ranks of the world */
    uint32_t seats;
} mst_geometry;

uint64_t mst_layout_fingerprint(void);

/* Bytes of an arena of so many seats whose heaps have `region_bytes` each. */
uint64_t mst_layout_arena_bytes(uint32_t seats, uint64_t region_bytes);
uint64_t mst_layout_records_offset(uint32_t seats, uint32_t seat);

/* Of a channel's ring, in a world of so many ranks: a power of two. */
uint64_t mst_layout_ring_bytes(uint32_t size);
uint64_t mst_layout_cells_offset(uint32_t seats);
uint64_t mst_layout_region_offset(uint32_t seats, uint64_t region_bytes, uint32_t seat);

mst_header *mst_layout_header(const mst_geometry *geometry);
mst_rank_entry *mst_layout_entry(const mst_geometry *geometry, uint32_t seat);
mst_record *mst_layout_records(const mst_geometry *geometry, uint32_t seat);
mst_cell *mst_layout_cell(const mst_geometry *geometry, uint32_t seat, uint32_t index);
uint64_t mst_layout_cell_offset(const mst_geometry *geometry, uint32_t seat, uint32_t index);
unsigned char *mst_layout_slots(const mst_geometry *geometry, uint32_t seat, uint32_t index);
uint64_t mst_layout_slots_offset(const mst_geometry *geometry, uint32_t seat, uint32_t index);
uint64_t mst_layout_heap_begin(const mst_geometry *geometry, uint32_t seat);
uint64_t mst_layout_heap_end(const mst_geometry *geometry, uint32_t seat);

/* The bytes at an offset that a peer gave, or NULL unless all of them lie in that peer's heap. */
void *mst_layout_heap_at(const mst_geometry *geometry, uint32_t seat, uint64_t offset, uint64_t bytes);

#endif
