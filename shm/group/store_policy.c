/* Runs the trials of store_policy.h. The kind of stores changes after two trials in a row that ask for it,
 * since some copies are fast, or slow, by chance. */
#include "shm/group/store_policy.h"

#include "shm/port/os.h"

#define TRIAL_COPIES 8 /* both kinds alternately; the longest of each is ignored */
#define TRIAL_COPIES_LARGE 6
#define LARGE_BYTES 65536
#define REST_MIN 16
#define REST_MIN_LARGE 4 /* copies of 256 KiB and more are far apart in time anyway */
#define REST_MIN_BYTES (1ULL << 20)
#define REST_MAX 1024
#define REST_MAX_BYTES (128ULL << 20)
#define DRAIN_BYTES                                                                                          \
    (16ULL << 10)              /* a CPU still holds so many stores, or most of them, when their copy ends */
#define LAP_BYTES (2ULL << 20) /* of the largest ring: bytes written before the ring wraps around */
#define PS_PER_NS 1000

void mst_store_init(mst_store_policy *policy, mst_store_plan plan, mst_store_aim aim)
{
    *policy = (mst_store_policy){ .plan = plan, .aim = aim };
}

void mst_store_inherit(mst_store_policy *policy, const mst_store_policy *from)
{
    for (int i = 0; i < MST_STORE_POLICY_SIZES; i++)
        mst_store32_rlx(&policy->sizes[i].nontemporal, mst_load32_rlx(&from->sizes[i].nontemporal));
}

/* The nearest size that has been decided; itself, if there is none. */
static const mst_store_size *nearest_decided(const mst_store_policy *policy, int at)
{
    for (int apart = 1; apart < MST_STORE_POLICY_SIZES; apart++) {
        if (at - apart >= 0 && policy->sizes[at - apart].decided)
            return &policy->sizes[at - apart];
        if (at + apart < MST_STORE_POLICY_SIZES && policy->sizes[at + apart].decided)
            return &policy->sizes[at + apart];
    }
    return &policy->sizes[at];
}

/* The first copy of a size: starts with the kind of the nearest decided size. */
static bool meet(mst_store_policy *policy, size_t bytes)
{
    int at = mst_store_size_of(bytes);
    mst_store_size *size = &policy->sizes[at];
    bool nontemporal = mst_load32_rlx(&nearest_decided(policy, at)->nontemporal);

    mst_store32_rlx(&size->nontemporal, nontemporal);
    size->rest = (uint16_t)(LAP_BYTES / bytes);
    size->met = true;
    return nontemporal;
}

bool mst_store_try(mst_store_policy *policy, size_t bytes)
{
    mst_store_size *size = &policy->sizes[mst_store_size_of(bytes)];

    if (!size->met)
        return meet(policy, bytes);
    if (size->tried == 0)
        size->sum_ps[0] = size->sum_ps[1] = size->longest_ps[0] = size->longest_ps[1] = 0;
    policy->began_ns = mst_os_now_ns();
    return size->tried & 1;
}

static uint64_t within(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value < most ? value : most;
}

/* Changes the kind of one size, and schedules trials of the others soon. */
static void change(mst_store_policy *policy, mst_store_size *size, bool nontemporal)
{
    mst_store32_rlx(&size->nontemporal, nontemporal);
    for (int i = 0; i < MST_STORE_POLICY_SIZES; i++)
        if (policy->sizes[i].rest > REST_MIN)
            policy->sizes[i].rest = REST_MIN;
}

/* How many times as long, in percent, ordinary stores may take. A copy below DRAIN_BYTES, whose stores are
 * waited for, takes longer of either kind, so that a smaller ratio tells the two apart. */
static int ratio_percent(const mst_store_policy *policy, size_t bytes)
{
    static const int of_max[MST_STORE_POLICY_SIZES] = { 25, 25, 40, 75, 100, 100, 100, 100, 100 };

    return policy->aim == MST_STORE_POLICY_FOR_READER
               ? policy->plan.max_ratio * of_max[mst_store_size_of(bytes)]
               : 100;
}

static void decide(mst_store_policy *policy, mst_store_size *size, size_t bytes)
{
    int64_t ordinary_ps = size->sum_ps[0] - size->longest_ps[0];
    int64_t nontemporal_ps = size->sum_ps[1] - size->longest_ps[1];
    bool is_nontemporal = mst_load32_rlx(&size->nontemporal);
    int limit = ratio_percent(policy, bytes);
    if (is_nontemporal)
        limit = limit * 7 / 10; /* hysteresis: large copies come near the limit at times */
    bool nontemporal = ordinary_ps * 100 > limit * nontemporal_ps;
    bool doubted = nontemporal != is_nontemporal;
    uint64_t rest_min = within(REST_MIN_BYTES / bytes, REST_MIN_LARGE, REST_MIN);
    uint64_t rest_max = within(REST_MAX_BYTES / bytes, REST_MIN, REST_MAX);

    if (doubted && size->doubted)
        change(policy, size, nontemporal);
    size->rest_last = (uint16_t)(doubted ? rest_min : within(2U * size->rest_last, REST_MIN, rest_max));
    size->rest = size->rest_last;
    size->decided = true;
    size->doubted = doubted;
    size->tried = 0;
}

void mst_store_tried(mst_store_policy *policy, size_t bytes)
{
    mst_store_size *size = &policy->sizes[mst_store_size_of(bytes)];

    if (bytes < DRAIN_BYTES)
        mst_add64_sc(&policy->drained, 1); /* waits for the stores before it */
    int64_t ps = (mst_os_now_ns() - policy->began_ns) * PS_PER_NS / (int64_t)bytes;
    int way = size->tried & 1;

    policy->began_ns = 0;
    size->sum_ps[way] += ps;
    if (ps > size->longest_ps[way])
        size->longest_ps[way] = ps;
    if (++size->tried == (bytes < LARGE_BYTES ? TRIAL_COPIES : TRIAL_COPIES_LARGE))
        decide(policy, size, bytes);
}
