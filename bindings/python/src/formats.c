/* Reads formats, for formats.h. */
#include "bindings/python/src/formats.h"

#include <string.h>

/* Zf, Zd and Zg are complex numbers; Z alone is a wchar_t *. */
static bool is_address(const char *letter)
{
    bool is_complex = letter[0] == 'Z' && letter[1] && strchr("fdg", letter[1]);

    return strchr("O&PXzZ", letter[0]) && !is_complex;
}

/* Names of fields are between colons. */
bool holds_addresses(const char *format)
{
    bool in_name = false;

    for (; *format; format++) {
        if (*format == ':')
            in_name = !in_name;
        else if (!in_name && is_address(format))
            return true;
    }
    return false;
}

PyObject *python_holds_addresses(PyObject *module, PyObject *format)
{
    const char *text = PyUnicode_AsUTF8AndSize(format, NULL);

    (void)module;
    return text ? PyBool_FromLong(holds_addresses(text)) : NULL;
}

/* ---- element types ---- */

bool integer_of(size_t bytes, bool is_signed, muster_dtype *dtype)
{
    static const muster_dtype with_sign[] = { MUSTER_INT8, MUSTER_INT16, MUSTER_INT32, MUSTER_INT64 };
    static const muster_dtype without[] = { MUSTER_UINT8, MUSTER_UINT16, MUSTER_UINT32, MUSTER_UINT64 };

    for (int i = 0; i < 4; i++) {
        if (bytes != (size_t)1 << i)
            continue;
        *dtype = is_signed ? with_sign[i] : without[i];
        return true;
    }
    return false;
}

/* Takes a type of the struct module and a field's name off a format. */
static char take_field(const char **format)
{
    const char *end;

    if (**format && strchr("@=<", **format))
        ++*format;
    char type = **format;
    if (!type || *++*format != ':' || !(end = strchr(*format + 1, ':')))
        return 0;
    *format = end + 1;
    return type;
}

/* What numpy calls a structured dtype of a value and an index: "T{f:value:i:index:}", whatever they are
 * called. */
static bool pair_of_format(const char *format, size_t bytes, muster_dtype *dtype)
{
    format += 2;
    char value = take_field(&format), index = value ? take_field(&format) : 0;

    if (!index || !strchr("ilq", index) || strcmp(format, "}") != 0)
        return false;
    *dtype = bytes == 8 ? MUSTER_INT32_INT32 : MUSTER_INT64_INT64;
    if (strchr("fd", value))
        *dtype = value == 'f' ? MUSTER_FLOAT32_INT32 : MUSTER_FLOAT64_INT64;
    return bytes == muster_dtype_size(*dtype) && (strchr("fd", value) || value == index) &&
           (index == 'i') == (bytes == 8);
}

/* What ctypes calls a structure of two floats by these names, which stands for a complex number where there
 * is no numpy: "T{<f:real:<f:imag:}". */
static bool complex_of_format(const char *format, muster_dtype *dtype)
{
    char bare[32];
    size_t length = 0;

    for (; *format && length < sizeof bare - 1; format++)
        if (!strchr("@=<", *format))
            bare[length++] = *format;
    bare[length] = 0;
    *dtype = strcmp(bare, "T{f:real:f:imag:}") == 0 ? MUSTER_COMPLEX64 : MUSTER_COMPLEX128;
    return *dtype == MUSTER_COMPLEX64 || strcmp(bare, "T{d:real:d:imag:}") == 0;
}

bool dtype_of_format(const char *format, size_t bytes, muster_dtype *dtype)
{
    if (!format)
        format = "B";
    if (strncmp(format, "T{", 2) == 0)
        return complex_of_format(format, dtype) || pair_of_format(format, bytes, dtype);
    if (*format == '@' || *format == '=' || *format == '<')
        format++;
    if (strcmp(format, "Zf") == 0 || strcmp(format, "Zd") == 0) {
        *dtype = format[1] == 'f' ? MUSTER_COMPLEX64 : MUSTER_COMPLEX128;
        return true;
    }
    if (!*format || format[1])
        return false;
    if (strchr("bhilqn", *format))
        return integer_of(bytes, true, dtype);
    if (strchr("BHILQNc", *format))
        return integer_of(bytes, false, dtype);
    switch (*format) {
    case '?':
        *dtype = MUSTER_BOOL;
        return true;
    case 'e':
        *dtype = MUSTER_FLOAT16;
        return true;
    case 'f':
        *dtype = MUSTER_FLOAT32;
        return true;
    case 'd':
        *dtype = MUSTER_FLOAT64;
        return true;
    default:
        return false;
    }
}
