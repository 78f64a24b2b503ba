/* Computes all offsets of layout.h, and enumerates the list of its fields. */
#include "shm/base/layout.h"

#include "shm/base/thresholds.h"

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

uint64_t mst_layout_records_offset(uint32_t seats, uint32_t seat)
{
    uint64_t begin = round_up(MST_ENTRIES_OFFSET + (uint64_t)seats * sizeof(mst_rank_entry), MST_PAGE);

    return begin + (uint64_t)seat * MST_RECORDS * sizeof(mst_record);
}

/* Large, so that a line has left the caches of both CPUs before it is written again, and is in the one that
 * they share; but the rings that a rank has for all its peers take at most some 4 MiB. */
uint64_t mst_layout_ring_bytes(uint32_t size)
{
    return size <= 3 ? 1 << 21 : size == 4 ? 1 << 20 : size <= 8 ? 1 << 19 : 1 << 18;
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

#define CONSTANT(name, value)                                                                                \
    tell(context, &(mst_layout_row){ MST_LAYOUT_CONSTANT, NULL, #name, NULL, (uint64_t)(name), sizeof(int) })
#define STRUCT(name)                                                                                         \
    {                                                                                                        \
        typedef struct name here;                                                                            \
        const char *structure = #name;                                                                       \
        tell(context, &(mst_layout_row){ MST_LAYOUT_STRUCT, NULL, #name, NULL, 0, sizeof(here) });
#define FIELD_ROW(type, name, bytes)                                                                         \
    tell(context, &(mst_layout_row){ MST_LAYOUT_FIELD, structure, #name, type, offsetof(here, name), bytes })
#define FIELD(type, name) FIELD_ROW(#type, name, sizeof(((here *)NULL)->name))
#define ARRAY(type, name, lengths) FIELD_ROW(#type " " #lengths, name, sizeof(((here *)NULL)->name))
#define REST(type, name) FIELD_ROW(#type " []", name, 0)
#define END_STRUCT(name) }

void mst_layout_tell(void (*tell)(void *context, const mst_layout_row *row), void *context)
{
#include "shm/base/layout_fields.h"
}

static uint64_t mix_byte(uint64_t hash, unsigned char byte)
{
    return (hash ^ byte) * 0x100000001b3ULL; /* FNV-1a */
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    for (int byte = 0; byte < 8; byte++)
        hash = mix_byte(hash, (unsigned char)(value >> (8 * byte)));
    return hash;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = mix_byte(hash, (unsigned char)*text);
    return mix_byte(hash, 0);
}

static void mix_row(void *context, const mst_layout_row *row)
{
    uint64_t *hash = context;

    *hash = mix(*hash, row->kind);
    *hash = mix_text(*hash, row->name);
    *hash = mix_text(*hash, row->type);
    *hash = mix(*hash, row->value);
    *hash = mix(*hash, row->bytes);
}

/* What the places in the header mean. */
static const char *const thresholds[] = {
#define NAME(name, ...) #name,
    MST_THRESHOLDS(NAME)
#undef NAME
};

/* Functions compute where areas begin: their values for an arena of three seats represent them all. */
uint64_t mst_layout_fingerprint(void)
{
    const uint64_t areas[] = {
        sizeof(void *),
        mst_layout_records_offset(3, 1),
        mst_layout_cells_offset(3),
        slots_begin(3),
        mst_layout_region_offset(3, MST_REGION_BYTES_MIN, 1),
        mst_layout_arena_bytes(3, MST_REGION_BYTES_MIN),
        mst_layout_ring_bytes(2),
        mst_layout_ring_bytes(4),
        mst_layout_ring_bytes(5),
        mst_layout_ring_bytes(9),
    };
    uint64_t hash = 0xcbf29ce484222325ULL;

    mst_layout_tell(mix_row, &hash);
    for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++)
        hash = mix(hash, areas[i]);
    for (size_t i = 0; i < sizeof thresholds / sizeof thresholds[0]; i++)
        hash = mix_text(hash, thresholds[i]);
    return hash;
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

uint64_t mst_layout_mapped_heap_bytes(const mst_geometry *geometry)
{
    return geometry->region_bytes - geometry->unmapped_bytes;
}

uint64_t mst_layout_mapped_bytes(const mst_geometry *geometry)
{
    return geometry->arena_bytes - geometry->seats * geometry->unmapped_bytes;
}

void *mst_layout_heap_at(const mst_geometry *geometry, uint32_t seat, uint64_t offset, uint64_t bytes)
{
    uint64_t begin = mst_layout_heap_begin(geometry, seat);
    uint64_t end = begin + mst_layout_mapped_heap_bytes(geometry);

    if (seat >= geometry->seats || offset < begin || offset > end || bytes > end - offset)
        return NULL;
    return mst_layout_at(geometry, seat, offset);
}
