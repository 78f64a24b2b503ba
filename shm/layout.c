/* Offsets of layout.h, computed here and nowhere else. */
#include "shm/layout.h"

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    for (int byte = 0; byte < 8; byte++) { /* FNV-1a */
        hash ^= (value >> (8 * byte)) & 0xff;
        hash *= 0x100000001b3ULL;
    }
    return hash;
}

/* Two builds that disagree on any of these must not share an arena. */
uint64_t mst_layout_fingerprint(void)
{
    const uint64_t facts[] = {
        MST_LAYOUT_VERSION,
        sizeof(void *),
        MST_LINE,
        MST_PAGE,
        MST_RANKS_MAX,
        MST_CELLS_MAX,
        sizeof(mst_header),
        sizeof(mst_rank_entry),
        sizeof(mst_cell),
        MST_SMALL_BYTES,
        sizeof(mst_channel),
        mst_layout_ring_bytes(2),
        offsetof(mst_cell, steps),
        offsetof(mst_cell, calls),
        offsetof(mst_cell, splits),
        sizeof(mst_arrival),
        offsetof(mst_cell, started),
        offsetof(mst_cell, regroup_records),
        offsetof(mst_cell, activities),
        offsetof(mst_cell, group),
        offsetof(mst_arrival, payload),
        offsetof(mst_cell, bell),
        offsetof(mst_cell, reason),
        offsetof(mst_rank_entry, ending),
        offsetof(mst_rank_entry, doing),
        offsetof(mst_rank_entry, claimed),
        offsetof(mst_rank_entry, committing),
        MST_RECORDS,
        sizeof(mst_record),
        offsetof(mst_record, done_ns),
        offsetof(mst_call_record, root),
        offsetof(mst_split_record, staging_offset),
        sizeof(mst_entry),
        sizeof(mst_roll_line),
    };
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        hash = mix(hash, facts[i]);
    return hash;
}

uint64_t mst_layout_records_offset(uint32_t seats, uint32_t seat)
{
    uint64_t begin = round_up(MST_ENTRIES_OFFSET + (uint64_t)seats * sizeof(mst_rank_entry), MST_PAGE);

    return begin + (uint64_t)seat * MST_RECORDS * sizeof(mst_record);
}

/* Large, so that a line has left the receiver's own cache when it is written again; but what a rank has for
 * all others is at most some 4 MiB. */
uint64_t mst_layout_ring_bytes(uint32_t size)
{
    return size <= 4 ? 1 << 20 : size <= 8 ? 1 << 19 : 1 << 18;
}

uint64_t mst_layout_cells_offset(uint32_t seats)
{
    return mst_layout_records_offset(seats, seats);
}

static uint64_t slots_begin(uint32_t seats)
{
    return mst_layout_cells_offset(seats) + (uint64_t)seats * MST_CELLS_MAX * sizeof(mst_cell);
}

uint64_t mst_layout_region_offset(uint32_t seats, uint64_t region_bytes, uint32_t seat)
{
    uint64_t slots_bytes = (uint64_t)seats * MST_CELLS_MAX * 2 * MST_SMALL_BYTES;

    return slots_begin(seats) + slots_bytes + (uint64_t)seat * region_bytes;
}

uint64_t mst_layout_arena_bytes(uint32_t seats, uint64_t region_bytes)
{
    return mst_layout_region_offset(seats, region_bytes, seats);
}

mst_header *mst_layout_header(const mst_geometry *geometry)
{
    return (mst_header *)(void *)geometry->base;
}

mst_rank_entry *mst_layout_entry(const mst_geometry *geometry, uint32_t seat)
{
    return (mst_rank_entry *)(void *)(geometry->base + MST_ENTRIES_OFFSET) + seat;
}

mst_record *mst_layout_records(const mst_geometry *geometry, uint32_t seat)
{
    return (mst_record *)(void *)(geometry->base + mst_layout_records_offset(geometry->seats, seat));
}

uint64_t mst_layout_cell_offset(const mst_geometry *geometry, uint32_t seat, uint32_t index)
{
    return mst_layout_cells_offset(geometry->seats) +
           ((uint64_t)index * geometry->seats + seat) * sizeof(mst_cell);
}

mst_cell *mst_layout_cell(const mst_geometry *geometry, uint32_t seat, uint32_t index)
{
    return (mst_cell *)(void *)(geometry->base + mst_layout_cell_offset(geometry, seat, index));
}

uint64_t mst_layout_slots_offset(const mst_geometry *geometry, uint32_t seat, uint32_t index)
{
    return slots_begin(geometry->seats) + ((uint64_t)index * geometry->seats + seat) * 2 * MST_SMALL_BYTES;
}

unsigned char *mst_layout_slots(const mst_geometry *geometry, uint32_t seat, uint32_t index)
{
    return geometry->base + mst_layout_slots_offset(geometry, seat, index);
}

uint64_t mst_layout_heap_begin(const mst_geometry *geometry, uint32_t seat)
{
    return mst_layout_region_offset(geometry->seats, geometry->region_bytes, seat);
}

uint64_t mst_layout_heap_end(const mst_geometry *geometry, uint32_t seat)
{
    return mst_layout_region_offset(geometry->seats, geometry->region_bytes, seat + 1);
}

void *mst_layout_heap_at(const mst_geometry *geometry, uint32_t seat, uint64_t offset, uint64_t bytes)
{
    uint64_t begin = mst_layout_heap_begin(geometry, seat);
    uint64_t end = mst_layout_heap_end(geometry, seat);

    if (seat >= geometry->seats || offset < begin || offset > end || bytes > end - offset)
        return NULL;
    return geometry->base + offset;
}
