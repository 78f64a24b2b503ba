/* Counting and printing of metrics.h. */
#include "metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUMS_KEPT = 2048, RATE_SECONDS = 10 };

#define NS_PER_S 1000000000LL
#define LOOK_NS (20 * 1000 * 1000LL) /* at the recorder: before it has gone around */

static struct {
    pthread_mutex_t lock;
    int ranks;
    uint64_t requests, tokens, regroups, steps;
    double sums_s;
    float latest_us[SUMS_KEPT]; /* a ring: sums over the ranks */
    int64_t seconds[RATE_SECONDS];
    uint64_t by_second[RATE_SECONDS]; /* tokens in that second */
    double waited_s[METRICS_RANKS_MAX];
    muster_records *records;
    int64_t looked_ns, began_ns;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- counting ---- */

static void add_record(const muster_record *record, void *arg)
{
    (void)arg;
    if (strcmp(record->call, "all_sum") == 0 && record->arrived_ns > record->entered_ns &&
        record->entered_ns >= all.began_ns)
        all.waited_s[record->rank] += (double)(record->arrived_ns - record->entered_ns) / 1e9;
}

void metrics_group(const muster_group *group)
{
    const char *arena = getenv("MUSTER_ARENA");

    pthread_mutex_lock(&all.lock);
    all.ranks = muster_group_size(group);
    if (!all.began_ns)
        all.began_ns = now_ns();
    if (!all.records && arena && strncmp(arena, "fd:", 3) == 0 &&
        muster_records_open(atoi(arena + 3), &all.records) != MUSTER_OK)
        fprintf(stderr, "server: no waiting times: %s\n", muster_error_detail());
    pthread_mutex_unlock(&all.lock);
}

void metrics_request(void)
{
    pthread_mutex_lock(&all.lock);
    all.requests++;
    pthread_mutex_unlock(&all.lock);
}

void metrics_regrouped(void)
{
    pthread_mutex_lock(&all.lock);
    all.regroups++;
    pthread_mutex_unlock(&all.lock);
}

void metrics_step(int tokens, int64_t sum_ns)
{
    int64_t now = now_ns(), second = now / NS_PER_S;

    pthread_mutex_lock(&all.lock);
    all.tokens += (uint64_t)tokens;
    all.sums_s += (double)sum_ns / 1e9;
    all.latest_us[all.steps++ % SUMS_KEPT] = (float)sum_ns / 1e3F;
    if (all.seconds[second % RATE_SECONDS] != second) {
        all.seconds[second % RATE_SECONDS] = second;
        all.by_second[second % RATE_SECONDS] = 0;
    }
    all.by_second[second % RATE_SECONDS] += (uint64_t)tokens;
    if (all.records && now - all.looked_ns > LOOK_NS) {
        muster_records_read(all.records, add_record, NULL, NULL);
        all.looked_ns = now;
    }
    pthread_mutex_unlock(&all.lock);
}

/* ---- printing, with the lock held ---- */

/* Of the last whole second. */
static double tokens_per_second(void)
{
    int64_t second = now_ns() / NS_PER_S - 1;

    return all.seconds[second % RATE_SECONDS] == second ? (double)all.by_second[second % RATE_SECONDS] : 0;
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return x < y ? -1 : x > y;
}

static int sort_sums(float *sorted)
{
    int count = all.steps < SUMS_KEPT ? (int)all.steps : SUMS_KEPT;

    memcpy(sorted, all.latest_us, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, ascending);
    return count;
}

static void print_counter(FILE *to, const char *name, const char *help, uint64_t value)
{
    fprintf(to, "# HELP muster_server_%s %s\n# TYPE muster_server_%s counter\nmuster_server_%s %llu\n", name,
            help, name, name, (unsigned long long)value);
}

static void print_gauge(FILE *to, const char *name, const char *help, double value)
{
    fprintf(to, "# HELP muster_server_%s %s\n# TYPE muster_server_%s gauge\nmuster_server_%s %g\n", name,
            help, name, name, value);
}

void metrics_print(FILE *to)
{
    static const double quantiles[] = { 0.5, 0.9, 0.99 };
    static float sorted[SUMS_KEPT];

    pthread_mutex_lock(&all.lock);
    int count = sort_sums(sorted);
    print_counter(to, "requests_total", "Texts asked for.", all.requests);
    print_counter(to, "tokens_total", "Tokens generated.", all.tokens);
    print_counter(to, "regroups_total", "How often ranks were lost and replaced, or done without.",
                  all.regroups);
    print_gauge(to, "tokens_per_second", "Tokens generated in the last second.", tokens_per_second());
    print_gauge(to, "ranks", "Ranks that work.", all.ranks);
    fprintf(to, "# HELP muster_server_all_sum_microseconds Sums over the ranks, one per step.\n"
                "# TYPE muster_server_all_sum_microseconds summary\n");
    for (int i = 0; i < 3 && count > 0; i++)
        fprintf(to, "muster_server_all_sum_microseconds{quantile=\"%g\"} %.3f\n", quantiles[i],
                (double)sorted[(int)(quantiles[i] * (count - 1))]);
    fprintf(to,
            "muster_server_all_sum_microseconds_sum %.3f\nmuster_server_all_sum_microseconds_count %llu\n",
            all.sums_s * 1e6, (unsigned long long)all.steps);
    fprintf(to,
            "# HELP muster_server_rank_wait_seconds_total How long a rank waited for the others in sums.\n"
            "# TYPE muster_server_rank_wait_seconds_total counter\n");
    for (int rank = 0; rank < all.ranks; rank++)
        fprintf(to, "muster_server_rank_wait_seconds_total{rank=\"%d\"} %.6f\n", rank, all.waited_s[rank]);
    pthread_mutex_unlock(&all.lock);
}

void metrics_print_json(FILE *to)
{
    static float sorted[SUMS_KEPT];

    pthread_mutex_lock(&all.lock);
    int count = sort_sums(sorted);
    fprintf(to,
            "{\"status\":\"ok\",\"ranks\":%d,\"requests\":%llu,\"tokens\":%llu,\"regroups\":%llu,"
            "\"tokens_per_second\":%.0f,\"all_sum_us\":%.2f,\"waited_s\":[",
            all.ranks, (unsigned long long)all.requests, (unsigned long long)all.tokens,
            (unsigned long long)all.regroups, tokens_per_second(), count ? (double)sorted[count / 2] : 0);
    for (int rank = 0; rank < all.ranks; rank++)
        fprintf(to, "%s%.6f", rank ? "," : "", all.waited_s[rank]);
    fprintf(to, "]}\n");
    pthread_mutex_unlock(&all.lock);
}
