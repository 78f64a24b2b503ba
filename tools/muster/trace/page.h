/* report.html as a string, made by the build. */
#ifndef MUSTER_TRACE_PAGE_H
#define MUSTER_TRACE_PAGE_H

extern const char trace_page[];

#endif
