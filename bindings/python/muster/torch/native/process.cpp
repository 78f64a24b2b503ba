// Processes, of process.h.
#include "process.h"

#include <pthread.h>

#include "errors.h"

namespace muster_torch
{

namespace
{

// From the first process to this one. They are counted, as asking the kernel at each operation would take
// longer.
int forks;
[[maybe_unused]] const int counts = pthread_atfork(nullptr, nullptr, [] { forks++; });

} // namespace

Process::Process() : forks_(forks)
{
}

bool Process::is_here() const
{
    return forks_ == forks;
}

void Process::check() const
{
    if (!is_here())
        fail_with(MUSTER_ERR_FORKED, "this process was forked by a rank and is not a rank itself");
}

} // namespace muster_torch
