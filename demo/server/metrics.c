/* Counting and printing of metrics.h. */
#include "metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUMS_KEPT = 2048, RATE_SECONDS = 10, BUCKETS = 13 };

#define NS_PER_S 1000000000LL
#define LOOK_NS (20 * 1000 * 1000LL) /* at the recorder: before it has gone around */

static const double bucket_ends_s[BUCKETS] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                               0.25,  0.5,    1,     2.5,  5,     10 };

typedef struct histogram {
    uint64_t buckets[BUCKETS], count; /* each bucket counts what is above the one before it */
    double sum_s;
} histogram;

static struct {
    pthread_mutex_t lock;
    bool ready;
    int ranks;
    uint64_t requests, refused, tokens, regroups, steps;
    histogram first_tokens, whole_requests;
    double sums_s;
    float latest_us[SUMS_KEPT]; /* a ring: sums over the ranks */
    int64_t seconds[RATE_SECONDS];
    uint64_t by_second[RATE_SECONDS]; /* tokens in that second */
    double waited_s[METRICS_RANKS_MAX];
    muster_records *records;
    int64_t looked_ns, began_ns;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

int64_t monotonic_ns(void)
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
        all.began_ns = monotonic_ns();
    if (!all.records && arena && strncmp(arena, "fd:", 3) == 0 &&
        muster_records_open(atoi(arena + 3), &all.records) != MUSTER_OK)
        fprintf(stderr, "server: no waiting times: %s\n", muster_error_detail());
    pthread_mutex_unlock(&all.lock);
}

void metrics_set_ready(bool ready)
{
    pthread_mutex_lock(&all.lock);
    all.ready = ready;
    pthread_mutex_unlock(&all.lock);
}

bool metrics_is_ready(void)
{
    pthread_mutex_lock(&all.lock);
    bool ready = all.ready;
    pthread_mutex_unlock(&all.lock);
    return ready;
}

static void count_one(uint64_t *counter)
{
    pthread_mutex_lock(&all.lock);
    ++*counter;
    pthread_mutex_unlock(&all.lock);
}

static void count_time(histogram *histogram, int64_t ns)
{
    double seconds = (double)ns / 1e9;
    int bucket = 0;

    while (bucket < BUCKETS && seconds > bucket_ends_s[bucket])
        bucket++;
    pthread_mutex_lock(&all.lock);
    if (bucket < BUCKETS)
        histogram->buckets[bucket]++;
    histogram->count++;
    histogram->sum_s += seconds;
    pthread_mutex_unlock(&all.lock);
}

void metrics_request(void)
{
    count_one(&all.requests);
}

void metrics_refused(void)
{
    count_one(&all.refused);
}

void metrics_first_token(int64_t after_ns)
{
    count_time(&all.first_tokens, after_ns);
}

void metrics_request_done(int64_t after_ns)
{
    count_time(&all.whole_requests, after_ns);
}

void metrics_regrouped(void)
{
    count_one(&all.regroups);
}

void metrics_step(int tokens, int64_t sum_ns)
{
    int64_t now = monotonic_ns(), second = now / NS_PER_S;

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
    int64_t second = monotonic_ns() / NS_PER_S - 1;

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

static void print_histogram(FILE *to, const char *name, const char *help, const histogram *histogram)
{
    uint64_t up_to = 0;

    fprintf(to, "# HELP muster_server_%s %s\n# TYPE muster_server_%s histogram\n", name, help, name);
    for (int i = 0; i < BUCKETS; i++) {
        up_to += histogram->buckets[i];
        fprintf(to, "muster_server_%s_bucket{le=\"%g\"} %llu\n", name, bucket_ends_s[i],
                (unsigned long long)up_to);
    }
    fprintf(to, "muster_server_%s_bucket{le=\"+Inf\"} %llu\nmuster_server_%s_sum %.6f\n", name,
            (unsigned long long)histogram->count, name, histogram->sum_s);
    fprintf(to, "muster_server_%s_count %llu\n", name, (unsigned long long)histogram->count);
}

/* Sums over the ranks: quantiles of the latest, and how long each rank waited in them. */
static void print_sums(FILE *to)
{
    static const double quantiles[] = { 0.5, 0.9, 0.99 };
    static float sorted[SUMS_KEPT];
    int count = sort_sums(sorted);

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
}

void metrics_print(FILE *to)
{
    pthread_mutex_lock(&all.lock);
    print_counter(to, "requests_total", "Texts asked for.", all.requests);
    print_counter(to, "refused_total", "Texts refused, since the server was full or stopping.", all.refused);
    print_histogram(to, "request_seconds", "From a request to the end of its text.", &all.whole_requests);
    print_histogram(to, "first_token_seconds", "From a request to the first token.", &all.first_tokens);
    print_counter(to, "tokens_total", "Tokens generated.", all.tokens);
    print_counter(to, "regroups_total", "How often ranks were lost and replaced, or done without.",
                  all.regroups);
    print_gauge(to, "tokens_per_second", "Tokens generated in the last second.", tokens_per_second());
    print_gauge(to, "ranks", "Ranks that work.", all.ranks);
    print_gauge(to, "ready", "1 while texts can be made.", all.ready);
    print_sums(to);
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
