/* Reads wish.h's JSON: every field is optional, of one type, within bounds; others are refused. */
#include "wish.h"

#include <string.h>

static const char *add_stop(wish *wish, const json_t *stop)
{
    const char *string = json_string_value(stop);

    if (!string || !string[0] || strlen(string) > GENERATION_STOP_BYTES_MAX ||
        wish->stop_count == GENERATION_STOPS_MAX)
        return "stop is not a string of 1 to 64 bytes, or a list of up to 4 of them";
    memcpy(wish->stops[wish->stop_count++], string, strlen(string) + 1);
    return NULL;
}

static const char *read_stops(wish *wish, const json_t *stops)
{
    const json_t *stop;
    size_t index;
    const char *wrong = NULL;

    if (!stops || json_is_null(stops))
        return NULL;
    if (!json_is_array(stops))
        return add_stop(wish, stops);
    json_array_foreach(stops, index, stop) if (!wrong) wrong = add_stop(wish, stop);
    return wrong;
}

static const char *check(const wish *wish, double temperature, double top_p)
{
    if (wish->tokens < 1 || wish->tokens > GENERATION_TOKENS_MAX)
        return "tokens is not between 1 and 4096";
    if (!(temperature == 0 || (temperature >= 0.01 && temperature <= 10)))
        return "temperature is not 0, nor between 0.01 and 10";
    if (wish->sampling.top_k < 0)
        return "top_k is below 0 (which means: all)";
    if (!(top_p > 0 && top_p <= 1))
        return "top_p is not above 0 and at most 1";
    return NULL;
}

const char *wish_read(json_t *root, wish *wish, bool *streamed)
{
    double temperature = 0.6, top_p = 1;
    json_int_t seed = 1;
    json_t *stops = NULL;
    int stream = 1;

    *wish = (struct wish){ .prompt = "", .tokens = 200 };
    if (!json_is_object(root))
        return "expected a JSON object, such as {\"prompt\": \"The light\", \"tokens\": 100, \"seed\": 1}";
    if (json_unpack(root, "{s?s, s?i, s?b, s?F, s?i, s?F, s?I, s?o !}", "prompt", &wish->prompt, "tokens",
                    &wish->tokens, "stream", &stream, "temperature", &temperature, "top_k",
                    &wish->sampling.top_k, "top_p", &top_p, "seed", &seed, "stop", &stops) != 0)
        return "expected prompt (a string), tokens, seed and top_k (whole numbers), temperature and top_p "
               "(numbers), stop (a string, or a list of them), stream (true or false), and nothing else";
    wish->sampling.temperature = (float)temperature;
    wish->sampling.top_p = (float)top_p;
    wish->seed = (uint64_t)seed;
    *streamed = stream;
    const char *wrong = check(wish, temperature, top_p);
    return wrong ? wrong : read_stops(wish, stops);
}
