/*
 * The specification of the arena's bytes: the only place that says what lies where.
 *
 *   0                               header          one page: identity (written once), attach state
 *   MST_HOST_OFFSET                 host            of several, which one it is of
 *   MST_ENTRIES_OFFSET              rank entries    which process has each seat, and how it ended
 *   mst_layout_records_offset(s)    records of s    a ring of the latest operations of the rank in seat s
 *   mst_layout_cells_offset()       cells           MST_CELLS_MAX rows of one cell per seat
 *   mst_layout_slots_offset()       slots           as many rows of two small slots per seat
 *   mst_layout_region_offset(s)     heap of s       staging, channels and arena buffers of the rank in seat s
 *
 * A rank uses one of its cells for each group that it is a member of, and the slots of the same row and seat.
 *
 * A seat belongs to one process (or thread) that is a rank, and no other process ever uses it: the world's
 * ranks start in the seats of their numbers, and a process that replaces a dead rank takes a further seat. A
 * seat's cells, slots and heap are its region. The rank in the seat is the only allocator of its region, so
 * allocating needs no lock, and a dead rank loses nothing but its own region. Cells of one row are adjacent
 * because all members of a group read each other's at every round: far apart, each would need a TLB entry,
 * lines of the page tables, and a page fault at the first read. The same is true of slots. A group's
 * sub-arena is one cell, with its slots, and one staging block of each member; members learn each other's at
 * split. Control lines (header, entries, records, cells) and slots stay committed once used; the heap is
 * committed block by block.
 *
 * The fields of each of these are in one list, layout_fields.h. The structs, the fingerprint that attaching
 * ranks compare, docs/LAYOUT.md and its test are generated from it.
 */
#ifndef MST_LAYOUT_H
#define MST_LAYOUT_H

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MST_READY_MAGIC 0x4d55535445523031ULL  /* "MUSTER01" */
#define MST_MAKING_MAGIC 0x4d55535445523030ULL /* "MUSTER00": the arena is being created */

/* The list, expanded to declarations. */
#define CONSTANT(name, value) enum { name = value }
#define STRUCT(name) typedef struct name {
#define END_STRUCT(name)                                                                                     \
    }                                                                                                        \
    name
#define FIELD(type, name) type name
#define ARRAY(type, name, lengths) type name lengths
#define REST(type, name) type name[]
#include "shm/base/layout_fields.h"
#undef CONSTANT
#undef STRUCT
#undef END_STRUCT
#undef FIELD
#undef ARRAY
#undef REST

/* What the code relies on, wherever fields lie. */
static_assert(sizeof(mst_eventcount) == MST_LINE, "an event count has its line to itself");
static_assert(sizeof(mst_arrival) == MST_LINE && sizeof(mst_sequence_lines) == 3 * MST_LINE,
              "so has an arrival");
static_assert(
    offsetof(mst_sequence_lines, sleepers) >= sizeof(mst_arrival) + 64 &&
        offsetof(mst_sequence_lines, even) == 0,
    "a vector that begins in the payload of the even arrival ends before anything else that is written");
static_assert(sizeof(mst_activity) == 64, "half a line");
static_assert((MST_RECORDS & (MST_RECORDS - 1)) == 0 && sizeof(mst_record) == 64 &&
                  MST_RECORDS * sizeof(mst_record) % MST_PAGE == 0,
              "a ring of records is whole pages, and none is in two lines");
static_assert(sizeof(mst_call_record) == 64, "one line");
static_assert(sizeof(mst_split_record) <= MST_PAYLOAD_BYTES, "a split's record travels beside its arrival");
static_assert(sizeof(mst_cell) == 4096, "cells are a power of two, so that they divide a page");
static_assert(sizeof(mst_header) <= MST_HOST_OFFSET &&
                  MST_HOST_OFFSET + sizeof(mst_host) <= MST_ENTRIES_OFFSET &&
                  MST_ENTRIES_OFFSET % MST_PAGE == 0,
              "the header and the host lie before the entries");
static_assert(MST_REGION_BYTES_MIN % MST_PAGE == 0, "regions are whole pages");
static_assert(offsetof(mst_channel, answers_taken) % MST_LINE == 0 &&
                  offsetof(mst_channel, slots) % MST_LINE == 0,
              "sender and receiver write to lines of their own");
static_assert(sizeof(mst_channel) % MST_LINE == 0, "the ring begins with a line");
static_assert(sizeof(mst_entry) + sizeof(mst_entry_part) <= MST_ENTRY_UNIT,
              "an entry's beginning is one line");

/* Where this process has mapped the arena, and its dimensions: private, made from checked copies. */
typedef struct mst_geometry {
    unsigned char *base;
    uint64_t arena_bytes;
    uint64_t region_bytes;
    uint64_t staging_bytes;
    uint32_t size; /* ranks of the world */
    uint32_t seats;
    uint64_t unmapped_bytes; /* at the end of each heap, for lack of address space: mostly 0 */
} mst_geometry;

/* A row of the list. */
typedef struct mst_layout_row {
    enum { MST_LAYOUT_CONSTANT, MST_LAYOUT_STRUCT, MST_LAYOUT_FIELD } kind;
    const char *structure; /* of a field: the struct it is in */
    const char *name;
    const char *type; /* of a field: its type as written */
    uint64_t value;   /* of a constant; of a field: its offset */
    uint64_t bytes;   /* 0: of variable length */
} mst_layout_row;

/* Calls `tell` for each row of the list, in order. */
void mst_layout_tell(void (*tell)(void *context, const mst_layout_row *row), void *context);

/* A hash of the list and of where areas begin: builds that differ must not share an arena. */
uint64_t mst_layout_fingerprint(void);

/* Size of an arena with `seats` heaps of `region_bytes` each. */
uint64_t mst_layout_arena_bytes(uint32_t seats, uint64_t region_bytes);
uint64_t mst_layout_records_offset(uint32_t seats, uint32_t seat);

/* Size of a channel's ring in a world of `size` ranks: a power of two. */
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

/* Bytes of each heap, from its beginning, that this process has mapped; and all bytes that it has mapped. */
uint64_t mst_layout_mapped_heap_bytes(const mst_geometry *geometry);
uint64_t mst_layout_mapped_bytes(const mst_geometry *geometry);

/* The line of arrivals at a round, as at every second one. */
static inline mst_arrival *mst_layout_arrival(mst_sequence_lines *lines, uint32_t round)
{
    return (mst_arrival *)(void *)((unsigned char *)lines + (round & 1) * offsetof(mst_sequence_lines, odd));
}

/* The address in this process of an offset in a seat's heap. The offset has been checked, or is our own. */
static inline unsigned char *mst_layout_at(const mst_geometry *geometry, uint32_t seat, uint64_t offset)
{
    return geometry->base + offset - seat * geometry->unmapped_bytes;
}

/* The offset of an address in our own heap. For an address elsewhere, a value outside our heap; 0, quickly,
 * for private memory, the most frequent case. */
static inline uint64_t mst_layout_own_offset(const mst_geometry *geometry, uint32_t seat, const void *at)
{
    uint64_t distance = (uint64_t)((uintptr_t)at - (uintptr_t)geometry->base);

    return distance < geometry->arena_bytes ? distance + seat * geometry->unmapped_bytes : 0;
}

/* The address of bytes at an offset that a peer gave, or NULL unless all of them are in that peer's heap. */
void *mst_layout_heap_at(const mst_geometry *geometry, uint32_t seat, uint64_t offset, uint64_t bytes);

#endif
