// Throwing or exiting, of fail.h: the one part that MLX's language is needed for.
#define _Noreturn [[noreturn]]
#include "fail.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <unistd.h>

void mpi_fail(const char *function, const char *sentence)
{
    std::string text = std::string("[muster] ") + function + ": " + sentence;
    const char *wanted = std::getenv("MUSTER_MLX_ON_ERROR");

    if (wanted && std::strcmp(wanted, "exit") == 0) {
        std::fprintf(stderr, "%s\n", text.c_str());
        std::fflush(nullptr);
        _exit(1);
    }
    throw std::runtime_error(text);
}
