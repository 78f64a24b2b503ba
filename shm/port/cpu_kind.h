/*
 * What is known of a CPU. This header depends on nothing else of the library, because arithmetic uses it too.
 */
#ifndef MST_CPU_KIND_H
#define MST_CPU_KIND_H

#include <stdbool.h>
#include <stdint.h>

/* As mst_os_cpu_kind_get (os.h) finds it. */
typedef struct mst_cpu_kind {
    char vendor[16]; /* "AuthenticAMD"; elsewhere the machine's name, "aarch64" */
    uint32_t family, model, stepping;
    uint64_t last_cache_bytes; /* 0: not known, or none. The others differ between the cores of one CPU */
    bool quick_rep_movs;       /* FSRM: `rep movs` is quick for short copies, too */
} mst_cpu_kind;

#endif
