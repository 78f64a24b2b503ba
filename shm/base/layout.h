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
 * lie side by side, since all members of a group read each other's at every round: far apart they would each
 * take an entry of the TLB and lines of the page tables, and a page fault when they are first read. So would
 * slots. A group's sub-arena is one cell, with its slots, and one staging block of each member; members
 * learn each other's at split. Control lines (header, entries, records, cells) and slots stay committed once
 * used; the heap is committed chunk by chunk.
 *
 * What each of these is made of is one list, layout_fields.h, from which come the structs, the fingerprint
 * that attachers compare, docs/LAYOUT.md and its test.
 */
#ifndef MST_LAYOUT_H
#define MST_LAYOUT_H

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MST_READY_MAGIC 0x4d55535445523031ULL  /* "MUSTER01" */
#define MST_MAKING_MAGIC 0x4d55535445523030ULL /* "MUSTER00": one that is being made */

/* The list, as declarations. */
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
static_assert(sizeof(mst_activity) == 64, "half a line");
static_assert((MST_RECORDS & (MST_RECORDS - 1)) == 0 && sizeof(mst_record) == 64 &&
                  MST_RECORDS * sizeof(mst_record) % MST_PAGE == 0,
              "a ring of records is whole pages, and none is in two lines");
static_assert(sizeof(mst_call_record) == 64, "one line");
static_assert(sizeof(mst_split_record) <= MST_PAYLOAD_BYTES, "a split's record travels beside its arrival");
static_assert(sizeof(mst_cell) == 4096, "cells are a power of two, so that they divide a page");
static_assert(sizeof(mst_header) <= MST_ENTRIES_OFFSET && MST_ENTRIES_OFFSET % MST_PAGE == 0,
              "the header lies before the entries");
static_assert(MST_REGION_BYTES_MIN % MST_PAGE == 0, "regions are whole pages");
static_assert(sizeof(mst_channel) == MST_LINE + 2 * MST_SLOT_BYTES, "slots have no line with another writer");
static_assert(sizeof(mst_entry) <= MST_ENTRY_UNIT, "an entry's beginning is one line");

/* Where things are in an arena: private to each process, made from checked copies. */
typedef struct mst_geometry {
    unsigned char *base;
    uint64_t arena_bytes;
    uint64_t region_bytes;
    uint64_t staging_bytes;
    uint32_t size; /* ranks of the world */
    uint32_t seats;
    uint64_t
        unmapped_bytes; /* at the end of each heap, where this process lacks the address space: mostly 0 */
} mst_geometry;

/* A row of the list. */
typedef struct mst_layout_row {
    enum { MST_LAYOUT_CONSTANT, MST_LAYOUT_STRUCT, MST_LAYOUT_FIELD } kind;
    const char *structure; /* of a field: which it is in */
    const char *name;
    const char *type; /* of a field: as it is written */
    uint64_t value;   /* of a constant; of a field: its offset */
    uint64_t bytes;   /* 0: as many as there are */
} mst_layout_row;

/* Tells the whole list, in its order. */
void mst_layout_tell(void (*tell)(void *context, const mst_layout_row *row), void *context);

/* A hash of all of it, and of where areas lie: builds that differ must not share an arena. */
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

/* Bytes of each heap that this process has mapped: from its beginning; and all that it has mapped. */
uint64_t mst_layout_mapped_heap_bytes(const mst_geometry *geometry);
uint64_t mst_layout_mapped_bytes(const mst_geometry *geometry);

/* Where an offset in the heap of a seat is here. It has been checked, or is our own. */
static inline unsigned char *mst_layout_at(const mst_geometry *geometry, uint32_t seat, uint64_t offset)
{
    return geometry->base + offset - seat * geometry->unmapped_bytes;
}

/* The offset of an address in our own heap; of any other one, no offset that is in our heap. Of private
 * memory, which most is, 0, as fast as can be. */
static inline uint64_t mst_layout_own_offset(const mst_geometry *geometry, uint32_t seat, const void *at)
{
    uint64_t distance = (uint64_t)((uintptr_t)at - (uintptr_t)geometry->base);

    return distance < geometry->arena_bytes ? distance + seat * geometry->unmapped_bytes : 0;
}

/* The bytes at an offset that a peer gave, or NULL unless all of them lie in that peer's heap. */
void *mst_layout_heap_at(const mst_geometry *geometry, uint32_t seat, uint64_t offset, uint64_t bytes);

#endif
