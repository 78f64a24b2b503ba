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
