// muster's sentences in MLX's words: for the native group, and for the library that MLX loads as its MPI.
#ifndef MUSTER_MLX_WORDS_H
#define MUSTER_MLX_WORDS_H

#include <string>

namespace muster_mlx
{

// Without the name of the operation, which comes before it.
inline std::string in_words_of_mlx(const char *operation, std::string sentence)
{
    std::string name = std::string(operation) + ": ";

    if (sentence.rfind(name, 0) == 0)
        sentence.erase(0, name.size());
    if (sentence.find(" bytes to oneself ") != std::string::npos)
        sentence =
            sentence.substr(0, sentence.find(';')) +
            "; MLX cannot receive at the same time: receive what was sent before, and send less at once, or "
            "use the array as it is";
    return sentence;
}

} // namespace muster_mlx

#endif
