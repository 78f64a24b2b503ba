// The operations that client.cc gives to MPI_Op_create: with a rounding after each addition, as MLX has them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace
{

using Type = void *;

float from_half(uint16_t bits)
{
    int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    float value = exponent == 0    ? std::ldexp(float(mantissa), -24)
                  : exponent == 31 ? (mantissa ? NAN : INFINITY)
                                   : std::ldexp(float(mantissa + 1024), exponent - 25);
    return bits & 0x8000 ? -value : value;
}

uint16_t to_half(float value)
{
    uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    float magnitude = std::fabs(value);

    if (std::isnan(value))
        return sign | 0x7e00;
    if (magnitude >= 65520)
        return sign | 0x7c00;
    int exponent;
    std::frexp(magnitude, &exponent);
    if (magnitude == 0 || exponent < -13) // subnormal
        return sign | uint16_t(std::nearbyint(std::ldexp(magnitude, 24)));
    auto mantissa = uint32_t(std::nearbyint(std::ldexp(magnitude, 11 - exponent)));
    return sign | uint16_t((uint32_t(exponent + 14) << 10) + mantissa - 1024);
}

float from_bfloat(uint16_t bits)
{
    uint32_t word = uint32_t(bits) << 16;
    float value;

    std::memcpy(&value, &word, sizeof value);
    return value;
}

uint16_t to_bfloat(float value)
{
    uint32_t word;

    std::memcpy(&word, &value, sizeof word);
    if (std::isnan(value))
        return uint16_t(word >> 16 | 0x40);
    return uint16_t((word + 0x7fff + (word >> 16 & 1)) >> 16);
}

template <float (*from)(uint16_t), uint16_t (*to)(float)> struct Half {
    static void sum(void *in, void *inout, int *count, Type *)
    {
        auto *a = static_cast<uint16_t *>(in), *b = static_cast<uint16_t *>(inout);
        for (int i = 0; i < *count; i++)
            b[i] = to(from(b[i]) + from(a[i]));
    }
    static void max(void *in, void *inout, int *count, Type *)
    {
        auto *a = static_cast<uint16_t *>(in), *b = static_cast<uint16_t *>(inout);
        for (int i = 0; i < *count; i++)
            b[i] = from(b[i]) < from(a[i]) ? a[i] : b[i];
    }
    static void min(void *in, void *inout, int *count, Type *)
    {
        auto *a = static_cast<uint16_t *>(in), *b = static_cast<uint16_t *>(inout);
        for (int i = 0; i < *count; i++)
            b[i] = from(a[i]) < from(b[i]) ? a[i] : b[i];
    }
};

bool less(const float *a, const float *b)
{
    return a[0] < b[0] || (a[0] == b[0] && a[1] < b[1]);
}

template <bool larger> void complex_extreme(void *in, void *inout, int *count, Type *)
{
    auto *a = static_cast<float *>(in), *b = static_cast<float *>(inout);
    for (int i = 0; i < 2 * *count; i += 2)
        if (larger ? less(b + i, a + i) : less(a + i, b + i))
            std::memcpy(b + i, a + i, 2 * sizeof(float));
}

// Neither commutes nor is known: twice the left one, and the right one.
void left_twice(void *in, void *inout, int *count, Type *)
{
    auto *a = static_cast<int32_t *>(in), *b = static_cast<int32_t *>(inout);
    for (int i = 0; i < *count; i++)
        b[i] = 2 * a[i] + b[i];
}

} // namespace
