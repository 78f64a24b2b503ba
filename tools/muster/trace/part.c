/* Writes and reads the lines of part.h. */
#include "tools/muster/trace/part.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/muster/text.h"
#include "tools/muster/trace/parse.h"

#define PART "\"part\":{"
#define HOST "\"host_of\":{"
#define YEARS_31_NS 1000000000000000000LL /* no clock that is set has run longer; a calendar ends in 2096 */

void part_write(const trace *trace, int64_t begin_ns, FILE *file)
{
    const trace_part *part = trace->part;

    if (!part)
        return;
    fprintf(file, PART "\"job\":%" PRIu64 ",\"began_ns\":%" PRId64 ",\"ahead_ns\":%" PRId64 "},\n", part->job,
            begin_ns, part->ahead_ns);
    for (int rank = 0; rank < trace->ranks; rank++) {
        fprintf(file, HOST "\"rank\":%d,\"first\":%d,\"here\":%d,\"name\":", rank, part->host[rank],
                part->here[rank]);
        write_json_string(part->names[part->host[rank]], file);
        fprintf(file, "},\n");
    }
}

static bool has_part(trace *trace)
{
    if (!trace->part)
        trace->part = calloc(1, sizeof *trace->part);
    return trace->part != NULL;
}

static bool parse_part(const char *line, trace *trace)
{
    return has_part(trace) &&
           sscanf(line, PART "\"job\":%" SCNu64 ",\"began_ns\":%" SCNd64 ",\"ahead_ns\":%" SCNd64,
                  &trace->part->job, &trace->part->began_ns, &trace->part->ahead_ns) == 3 &&
           trace->part->job != 0 && trace->part->began_ns >= 0 && trace->part->began_ns <= YEARS_31_NS &&
           trace->part->ahead_ns >= -YEARS_31_NS && trace->part->ahead_ns <= 4 * YEARS_31_NS;
}

static bool parse_host(const char *line, trace *trace)
{
    int rank, first, here, used = 0;

    if (!has_part(trace) ||
        sscanf(line, HOST "\"rank\":%d,\"first\":%d,\"here\":%d,\"name\":%n", &rank, &first, &here, &used) !=
            3 ||
        used == 0 || rank < 0 || rank >= trace->ranks || first < 0 || first > rank)
        return false;
    const char *at = line + used;
    trace->part->host[rank] = first;
    trace->part->here[rank] = here;
    return parse_string(&at, trace->part->names[first], sizeof trace->part->names[0]);
}

bool part_parse(const char *line, trace *trace)
{
    if (strncmp(line, PART, strlen(PART)) == 0)
        return parse_part(line, trace);
    return strncmp(line, HOST, strlen(HOST)) != 0 || parse_host(line, trace);
}
