// Throwing or exiting, of fail.h: the one part that MLX's language is needed for.
#define _Noreturn [[noreturn]]
#include "fail.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <unistd.h>

#include "bindings/python/muster/mlx/native/words.h"

static bool exits()
{
    const char *wanted = std::getenv("MUSTER_MLX_ON_ERROR");

    return wanted && std::strcmp(wanted, "exit") == 0;
}

void mpi_fail(const char *function, const char *sentence)
{
    std::string text =
        std::string("[muster] ") + function + ": " + muster_mlx::in_words_of_mlx(function, sentence);

    if (exits()) {
        std::fprintf(stderr, "%s\n", text.c_str());
        std::fflush(nullptr);
        _exit(1);
    }
    throw std::runtime_error(text);
}

void mpi_fail_on_stream(const char *function, const char *sentence)
{
    static std::mutex lock;
    static auto &told = *new std::string; // never freed: streams may run until the process ends

    if (!exits()) {
        std::lock_guard<std::mutex> held(lock);
        std::string detail = muster_mlx::in_words_of_mlx(function, sentence);
        if (told != detail)
            std::fprintf(stderr, "muster: %s: %s\n", function, detail.c_str());
        told = detail;
    }
    mpi_fail(function, sentence);
}
