/*
 * The file: JSON as Chrome's trace viewer and Perfetto understand it, one event per line, a track per rank.
 * An operation is a slice; within it, where a rank waited, another; arrows go from the rank that came last to
 * those that waited for it. All that a record says is in the slice's arguments, in a fixed form, from which
 * it is read again; phases are slices of tracks of their own. Other JSON, and this one after
 * another program has formatted it anew, is refused.
 */
#include "tools/muster/trace/file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "shm/base/plain.h"
#include "tools/muster/text.h"
#include "tools/muster/trace/parse.h"
#include "tools/muster/trace/part.h"

#define LINE_BYTES 1000
#define OPENING "{\"muster_trace\":1,"
#define JOB "\"job\":{"
#define GROUP_NAME ",\"group_name\":"
#define TAG ",\"tag\":"

/* ---- writing ---- */

static double us(int64_t ns)
{
    return (double)ns / 1e3;
}

static void write_job(const trace_job *job, FILE *file)
{
    if (job->cpus == 0)
        return;
    fprintf(file, JOB "\"cpus\":%d,\"command\":", job->cpus);
    write_json_string(job->command, file);
    fprintf(file, ",\"host\":");
    write_json_string(job->host, file);
    fprintf(file, ",\"date\":");
    write_json_string(job->date, file);
    fprintf(file, "},\n");
}

static void write_phase(const trace_phase *phase, int ranks, int64_t begin_ns, FILE *file)
{
    fprintf(
        file,
        "{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"args\":{\"phase_of\":%d},\"name\":",
        ranks + phase->rank, us(phase->begin_ns - begin_ns), us(phase->end_ns - phase->begin_ns),
        phase->rank);
    write_json_string(phase->name, file);
    fprintf(file, "},\n");
}

static void write_track(const trace *trace, int track, const char *what, int rank, int place, FILE *file)
{
    const trace_part *part = trace->part;
    char name[100];

    snprintf(name, sizeof name, "%s %d%s%s", what, rank, part ? " on " : "",
             part ? part->names[part->host[rank]] : "");
    fprintf(file, "{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":", track);
    write_json_string(name, file);
    fprintf(file, "}},\n");
    fprintf(
        file,
        "{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%d}},\n",
        track, place);
}

static bool is_tagged(const muster_record *record)
{
    return strcmp(record->call, "send") == 0 || strcmp(record->call, "recv") == 0 ||
           strcmp(record->call, "sendrecv") == 0;
}

static void write_slice(const muster_record *record, int64_t begin_ns, FILE *file)
{
    const char *dtype = muster_dtype_name(record->dtype);

    fprintf(file,
            "{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"name\":\"%s %zu B\",\"args\":{"
            "\"call\":\"%s\",\"dtype\":\"%s\",\"count\":%zu,\"bytes\":%zu,\"group\":%" PRIu64
            ",\"world\":%d,\"group_rank\":%d,\"group_size\":%d,\"call_class\":\"%s\",\"operation\":%" PRIu64
            ",\"peer\":%d,\"exact\":%d,\"started\":%d,\"arrived\":%d,\"waited_us\":%.3f",
            record->rank, us(record->entered_ns - begin_ns), us(record->done_ns - record->entered_ns),
            record->call, record->bytes, record->call, dtype ? dtype : "?", record->count, record->bytes,
            record->group, record->world, record->group_rank, record->group_size,
            call_class_name(record->call_class), record->operation, record->peer, record->exact,
            record->started, record->arrived_ns != 0, us(trace_waited_ns(record)));
    if (is_tagged(record))
        fprintf(file, TAG "%d", record->tag);
    if (record->group_name[0]) {
        fprintf(file, GROUP_NAME);
        write_json_string(record->group_name, file);
    }
    fprintf(file, "}},\n");
}

static void write_wait(const muster_record *record, const muster_record *last, int64_t begin_ns, FILE *file)
{
    int64_t waited_ns = trace_waited_ns(record);

    if (waited_ns == 0 || record == last)
        return;
    fprintf(file, "{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"name\":\"waits",
            record->rank, us(record->entered_ns - begin_ns), us(waited_ns));
    if (last)
        fprintf(file, " for rank %d", last->rank);
    fprintf(file, "\"},\n");
}

/* From where the last one enters to where the other goes on; not back in time, though clocks of two CPUs may
 * differ by a fraction of a microsecond, as virtual machines' do. */
static void write_arrow(const muster_record *record, const muster_record *last, uint64_t number,
                        int64_t begin_ns, FILE *file)
{
    int64_t to_ns = record->arrived_ns > last->entered_ns ? record->arrived_ns : last->entered_ns;

    fprintf(file,
            "{\"ph\":\"s\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"id\":%" PRIu64
            ",\"name\":\"last\",\"cat\":\"operation\"},\n",
            last->rank, us(last->entered_ns - begin_ns), number);
    fprintf(file,
            "{\"ph\":\"f\",\"bp\":\"e\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"id\":%" PRIu64
            ",\"name\":\"last\",\"cat\":\"operation\"},\n",
            record->rank, us(to_ns - begin_ns), number);
}

static void write_operation(const muster_record *records, size_t count, uint64_t *arrows, int64_t begin_ns,
                            FILE *file)
{
    int found = trace_last(records, count);
    const muster_record *last = found < 0 ? NULL : &records[found];

    for (size_t i = 0; i < count; i++) {
        write_slice(&records[i], begin_ns, file);
        write_wait(&records[i], last, begin_ns, file);
        if (last && &records[i] != last && records[i].arrived_ns)
            write_arrow(&records[i], last, ++*arrows, begin_ns, file);
    }
}

bool trace_write(const trace *trace, FILE *file)
{
    int64_t begin_ns = INT64_MAX;
    uint64_t arrows = 0;

    for (size_t i = 0; i < trace->count; i++)
        if (trace->records[i].entered_ns < begin_ns)
            begin_ns = trace->records[i].entered_ns;
    for (size_t i = 0; i < trace->phases.count; i++)
        if (trace->phases.list[i].begin_ns < begin_ns)
            begin_ns = trace->phases.list[i].begin_ns;
    if (begin_ns == INT64_MAX)
        begin_ns = 0; /* nothing has been done */
    fprintf(file, OPENING "\"ranks\":%d,\"exact\":%d,\"lost\":%" PRIu64 ",\"left_out\":%" PRIu64 ",\n",
            trace->ranks, trace->exact, trace->lost, trace->left_out);
    write_job(&trace->job, file);
    part_write(trace, begin_ns, file);
    fprintf(file, "\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
    for (size_t first = 0, count; first < trace->count; first += count) {
        count = trace_operation(trace, first);
        write_operation(&trace->records[first], count, &arrows, begin_ns, file);
    }
    for (size_t i = 0; i < trace->phases.count; i++)
        write_phase(&trace->phases.list[i], trace->ranks, begin_ns, file);
    for (int rank = 0; rank < trace->ranks; rank++) {
        if (trace->part && !trace->part->here[rank])
            continue;
        write_track(trace, rank, "rank", rank, 2 * rank + 1, file);
        if (trace->phases.count)
            write_track(trace, trace->ranks + rank, "phases of rank", rank, 2 * rank, file);
    }
    fprintf(file, "{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"name\":\"process_name\","
                  "\"args\":{\"name\":\"muster\"}}\n]}\n");
    return fflush(file) == 0 && !ferror(file);
}

/* ---- reading ---- */

static bool find_dtype(const char *name, muster_dtype *dtype)
{
    for (int i = 0; i < MUSTER_DTYPE_COUNT; i++)
        if (strcmp(muster_dtype_name((muster_dtype)i), name) == 0) {
            *dtype = (muster_dtype)i;
            return true;
        }
    *dtype = MUSTER_BYTES(1);
    return strcmp(muster_dtype_name(*dtype), name) == 0;
}

_Static_assert(MUSTER_CALL_NAME_BYTES == 40, "parse_slice has the number in its format");

/* A slice that is an operation; false: the line is damaged. */
static bool parse_slice(const char *line, const trace *trace, muster_record *record)
{
    int world, exact, started, arrived, used = 0;
    double ts, duration, waited;
    char dtype[16], class[12];

    *record = (muster_record){ .rank = -1 };
    int found = sscanf(
        line,
        "{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%lf,\"dur\":%lf,\"name\":\"%*[^\"]\",\"args\":{"
        "\"call\":\"%39[^\"]\",\"dtype\":\"%15[^\"]\",\"count\":%zu,\"bytes\":%zu,\"group\":%" SCNu64
        ",\"world\":%d,\"group_rank\":%d,\"group_size\":%d,\"call_class\":\"%11[a-z]\",\"operation\":%" SCNu64
        ",\"peer\":%d,\"exact\":%d,\"started\":%d,\"arrived\":%d,\"waited_us\":%lf%n",
        &record->rank, &ts, &duration, record->call, dtype, &record->count, &record->bytes, &record->group,
        &world, &record->group_rank, &record->group_size, class, &record->operation, &record->peer, &exact,
        &started, &arrived, &waited, &used);
    const char *at = line + used;
    if (sscanf(at, TAG "%d%n", &record->tag, &used) == 1)
        at += used;
    if (strncmp(at, GROUP_NAME, strlen(GROUP_NAME)) == 0 &&
        !parse_field(&at, GROUP_NAME, record->group_name, sizeof record->group_name))
        return false;
    if (found != 18 || record->rank < 0 || record->rank >= trace->ranks || record->group_size < 1 ||
        record->group_size > TRACE_RANKS_MAX || !(ts >= 0 && ts < 1e15) ||
        !(duration >= 0 && duration < 1e15) || !(waited >= 0 && waited <= duration + 1) ||
        !find_dtype(dtype, &record->dtype) || !find_call_class(class, &record->call_class))
        return false;
    mst_plain_make(record->call);
    record->world = world;
    record->exact = exact;
    record->started = started;
    record->entered_ns = (int64_t)(ts * 1e3 + 0.5) + 1; /* no time is 0 */
    record->done_ns = record->entered_ns + (int64_t)(duration * 1e3 + 0.5);
    record->arrived_ns = arrived ? record->entered_ns + (int64_t)(waited * 1e3 + 0.5) : 0;
    return true;
}

static bool parse_job(const char *line, trace_job *job)
{
    int cpus = 0, used = 0;

    if (sscanf(line, JOB "\"cpus\":%d%n", &cpus, &used) != 1 || cpus < 1)
        return false;
    const char *at = line + used;
    if (!parse_field(&at, ",\"command\":", job->command, sizeof job->command) ||
        !parse_field(&at, ",\"host\":", job->host, sizeof job->host) ||
        !parse_field(&at, ",\"date\":", job->date, sizeof job->date))
        return false;
    job->cpus = cpus;
    return true;
}

static bool parse_phase(const char *line, trace *trace)
{
    trace_phase phase = { .rank = -1 };
    double ts, duration;
    int used = 0;

    if (sscanf(line,
               "{\"ph\":\"X\",\"pid\":1,\"tid\":%*d,\"ts\":%lf,\"dur\":%lf,\"args\":{\"phase_of\":%d},"
               "\"name\":%n",
               &ts, &duration, &phase.rank, &used) != 3 ||
        used == 0 || phase.rank < 0 || phase.rank >= trace->ranks || !(ts >= 0 && ts < 1e15) ||
        !(duration >= 0 && duration < 1e15))
        return false;
    const char *at = line + used;
    phase.begin_ns = (int64_t)(ts * 1e3 + 0.5) + 1;
    phase.end_ns = phase.begin_ns + (int64_t)(duration * 1e3 + 0.5);
    return parse_string(&at, phase.name, sizeof phase.name) && phases_add(&trace->phases, &phase);
}

static bool parse_opening(FILE *file, trace *trace)
{
    char line[LINE_BYTES];
    int exact;

    *trace = (struct trace){ .records = NULL };
    if (!fgets(line, sizeof line, file) ||
        sscanf(line, OPENING "\"ranks\":%d,\"exact\":%d,\"lost\":%" SCNu64 ",\"left_out\":%" SCNu64,
               &trace->ranks, &exact, &trace->lost, &trace->left_out) != 4)
        return false;
    trace->exact = exact;
    return trace->ranks >= 1 && trace->ranks <= TRACE_RANKS_MAX;
}

/* The number of the line that is damaged, 0: none is. */
static long parse_events(FILE *file, trace *trace)
{
    char line[LINE_BYTES] = "";
    muster_record record;
    bool ended = false;
    long number = 1;

    while (fgets(line, sizeof line, file)) {
        number++;
        ended = strcmp(line, "]}\n") == 0;
        if (strncmp(line, JOB, strlen(JOB)) == 0 && !parse_job(line, &trace->job))
            return number;
        if (!part_parse(line, trace))
            return number;
        if (strstr(line, "\"args\":{\"phase_of\":") && !parse_phase(line, trace))
            return number;
        if (!strstr(line, "\"args\":{\"call\":"))
            continue;
        if (!parse_slice(line, trace, &record) || !trace_add(trace, &record))
            return number;
    }
    return ended ? 0 : number;
}

bool trace_read(const char *command, const char *path, trace *trace)
{
    FILE *file = fopen(path, "re");

    if (!file) {
        fprintf(stderr, "muster %s: %s: %s\n", command, path, strerror(errno));
        return false;
    }
    if (!parse_opening(file, trace)) {
        if (ferror(file))
            fprintf(stderr, "muster %s: %s: %s\n", command, path, strerror(errno)); /* a folder, say */
        else
            fprintf(stderr,
                    "muster %s: %s is no trace of muster's; expected a file that muster run --trace has "
                    "written\n",
                    command, path);
        fclose(file);
        return false;
    }
    errno = 0;
    long damaged = parse_events(file, trace);
    bool exhausted = damaged && errno == ENOMEM;
    fclose(file);
    if (exhausted)
        fprintf(stderr, "muster %s: %s: out of memory at line %ld\n", command, path, damaged);
    else if (damaged)
        fprintf(stderr,
                "muster %s: %s: line %ld is not as muster run --trace writes it: the file is damaged\n",
                command, path, damaged);
    if (damaged) {
        trace_free(trace);
        return false;
    }
    trace_sort(trace);
    return true;
}
