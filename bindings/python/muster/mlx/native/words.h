// muster's sentences in MLX's words: for the native group, and for the library that MLX loads as its MPI.
#ifndef MUSTER_MLX_WORDS_H
#define MUSTER_MLX_WORDS_H

#include <string>

namespace muster_mlx
{

// MLX has no tags: it sends with 0 and receives any.
inline void drop_tags(std::string &sentence)
{
    for (const char *said : { " with tag 0", ", tag 0", ", any tag" })
        for (size_t at; (at = sentence.find(said)) != std::string::npos;)
            sentence.erase(at, std::string(said).size());
}

// Without the name of the operation, which comes before it.
inline std::string in_words_of_mlx(const char *operation, std::string sentence)
{
    std::string name = std::string(operation) + ": ";

    if (sentence.rfind(name, 0) == 0)
        sentence.erase(0, name.size());
    drop_tags(sentence);
    if (sentence.find(" bytes to oneself ") != std::string::npos)
        sentence =
            sentence.substr(0, sentence.find(';')) +
            "; MLX cannot receive at the same time: receive what was sent before, and send less at once, or "
            "use the array as it is";
    return sentence;
}

} // namespace muster_mlx

#endif
