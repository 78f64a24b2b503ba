/* report.html as a string, made by the build. */
#ifndef MUSTER_CLI_TRACE_PAGE_H
#define MUSTER_CLI_TRACE_PAGE_H

extern const char trace_page[];

#endif
